//! The ledger as an output of a push.
//!
//! An *entry* of the ledger is the expiration time that the server acknowledged for a token. The
//! *known times* are all entries of this server. An entry is *unconfirmed* if a different
//! expiration time was sent later, but no response shows whether the server applied that time.

use std::{
    path::Path,
    sync::mpsc::{self, SyncSender},
    thread::{Scope, ScopedJoinHandle},
};

use bytes::Bytes;
use jiff::Timestamp;

use super::{context::Run, plan::LedgerPlan};
use crate::{
    contract::Contract,
    delivery::SinkError,
    diagnostics::{self, Failure},
    input::InputSource,
    ledger::{self, KnownTimes, LedgerError, LedgerWriter, TargetKey},
    report::{Status, Summary},
};

/// The maximum number of acknowledged requests that wait to be written. If this many are waiting, the
/// delivery pauses.
const MAX_WAITING_REQUESTS: usize = 16;

/// The open ledger, in which this run has begun.
pub(super) struct Ledger<'p> {
    path: &'p Path,
    writer: LedgerWriter,
    /// Whether an acknowledged record could not be written.
    pub(super) has_failed: bool,
}

impl<'p> Ledger<'p> {
    /// Opens the ledger and writes the start of this run.
    pub(super) fn open(
        run: &Run<'p>,
        plan: &'p LedgerPlan,
        key: &TargetKey,
    ) -> Result<Self, Failure> {
        let path = &*plan.path;
        let names = run.plan.input.sources.iter().map(InputSource::name);
        let begun = ledger::Run {
            started: Timestamp::now().as_second(),
            input: names.collect::<Vec<_>>().join(", "),
            ..ledger::Run::default()
        };
        let pause = |time| run.interrupts.pause(time);
        let writer =
            LedgerWriter::open(path, key, begun, plan.lock_timeout, &pause).map_err(|error| {
                let failure = diagnostics::ledger_unusable(path, &error);
                run.interrupts.explain(failure)
            })?;
        Ok(Self {
            path,
            writer,
            has_failed: false,
        })
    }

    fn unusable(&self) -> impl Fn(LedgerError) -> Failure + use<'p> {
        let path = self.path;
        move |error| diagnostics::ledger_unusable(path, &error)
    }

    pub(super) fn known_times(&self) -> Result<KnownTimes, Failure> {
        self.writer.known_times().map_err(self.unusable())
    }

    /// Marks each entry that this run will change as unconfirmed. This must happen before the first
    /// request, because if a response is lost, it is unknown which time the server has.
    pub(super) fn mark_unconfirmed(&mut self, known: &KnownTimes) -> Result<(), Failure> {
        let marked = self.writer.mark_unconfirmed(known);
        marked.map_err(self.unusable())
    }

    /// Starts a thread that writes acknowledged requests to the ledger, so that the delivery does
    /// not wait for the disk.
    pub(super) fn start_thread<'scope, 'env>(
        &'env mut self,
        contract: &'env Contract,
        threads: &'scope Scope<'scope, 'env>,
    ) -> LedgerThread<'scope> {
        let (path, writer) = (self.path, &mut self.writer);
        let (requests, received) = mpsc::sync_channel::<Bytes>(MAX_WAITING_REQUESTS);
        let thread = threads.spawn(move || {
            for message in received {
                writer.acknowledge(contract.decode_records(&message))?;
            }
            Ok(())
        });
        LedgerThread {
            path,
            requests,
            thread,
        }
    }

    /// Writes the end of the run (its counts, status and exit code), and returns the result of the
    /// push.
    pub(super) fn end_run(
        mut self,
        result: Result<(), Failure>,
        summary: &Summary,
    ) -> Result<(), Failure> {
        let records = &summary.records;
        let exit_code = result.as_ref().err().map_or(0, |failure| failure.exit_code);
        let run = &mut self.writer.run;
        run.ended = Some(Timestamp::now().as_second());
        run.status = Some(Status::from_result(&result).as_str().to_owned());
        run.exit_code = Some(exit_code);
        run.read = Some(records.read);
        run.unchanged = Some(records.unchanged);
        run.acknowledged = Some(records.acknowledged);
        run.rejected = Some(records.rejected);
        run.unsent = Some(records.unsent);
        match self.writer.end_run() {
            Ok(()) => result,
            // `result` already reports that the ledger cannot be written.
            Err(_) if self.has_failed => result,
            Err(error) => Err(diagnostics::ledger_unusable(self.path, &error).and(result.err())),
        }
    }
}

/// The thread that writes to the ledger while requests are sent.
pub(super) struct LedgerThread<'scope> {
    path: &'scope Path,
    requests: SyncSender<Bytes>,
    thread: ScopedJoinHandle<'scope, Result<(), LedgerError>>,
}

impl LedgerThread<'_> {
    /// Hands the message of an acknowledged request to the thread.
    ///
    /// # Errors
    ///
    /// The thread has ended because of an error, which [`Self::finish`] returns.
    pub(super) fn acknowledge(&self, message: Bytes) -> Result<(), SinkError> {
        self.requests.send(message).map_err(|_| SinkError)
    }

    /// Waits until all acknowledged requests are written.
    pub(super) fn finish(self) -> Result<(), Failure> {
        drop(self.requests);
        self.thread
            .join()
            .unwrap_or(Err(LedgerError::WriterPanicked))
            .map_err(|error| diagnostics::ledger_unusable(self.path, &error))
    }
}
