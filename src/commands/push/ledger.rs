//! The ledger as an output of a push. [`crate::ledger`] explains its terms.

use std::{
    path::Path,
    sync::mpsc::{self, SyncSender},
    thread::{self, Scope, ScopedJoinHandle},
};

use bytes::Bytes;
use jiff::Timestamp;

use super::{context::Run, plan::LedgerPlan};
use crate::{
    atomic_file::{AtomicFile, OWNER_ONLY_MODE},
    contract::Contract,
    delivery::SinkError,
    diagnostics::{self, Failure},
    input::InputSource,
    ledger::{self, KnownTimes, LedgerError, LedgerWriter, TargetKey},
    report::{Status, Summary},
};

/// The delivery pauses if this many acknowledged requests wait to be written.
const MAX_WAITING_REQUESTS: usize = 16;

/// The open ledger, in which this run has begun.
pub(super) struct Ledger<'p> {
    path: &'p Path,
    writer: LedgerWriter,
    /// The error because of which acknowledged records were not written.
    pub(super) error: Option<LedgerError>,
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
            error: None,
        })
    }

    /// Checks that the disk has space for the acknowledged records.
    fn check_space(&self, records: u64) -> Result<(), Failure> {
        // An entry takes 20 bytes in the write-ahead log, and then in the ledger.
        let bytes = 48 * records + (64 << 10);
        let reserved =
            AtomicFile::open(self.path, OWNER_ONLY_MODE).and_then(|file| file.reserve(bytes));
        reserved.map_err(|error| diagnostics::ledger_unusable(self.path, &error.into()))
    }

    pub(super) fn known_times(&self) -> Result<KnownTimes, Failure> {
        let known = self.writer.known_times();
        known.map_err(|error| diagnostics::ledger_unusable(self.path, &error))
    }

    /// This must happen before the first request, because if a response is lost, it is unknown which
    /// time the server has.
    pub(super) fn begin_sending(
        &mut self,
        known: &KnownTimes,
        selected: u64,
        address: &str,
    ) -> Result<(), Failure> {
        self.check_space(selected)?;
        let marked = self.writer.mark_unconfirmed(known);
        marked
            .and_then(|()| self.writer.save_address(address))
            .map_err(|error| diagnostics::ledger_unusable(self.path, &error))
    }

    /// Starts a thread that writes acknowledged requests to the ledger, so that the delivery does
    /// not wait for the disk.
    pub(super) fn start_thread<'scope, 'env>(
        &'env mut self,
        contract: &'env Contract,
        threads: &'scope Scope<'scope, 'env>,
    ) -> Result<LedgerThread<'scope>, Failure> {
        let writer = &mut self.writer;
        let (requests, received) = mpsc::sync_channel::<Bytes>(MAX_WAITING_REQUESTS);
        let thread = thread::Builder::new().spawn_scoped(threads, move || {
            for message in received {
                writer.acknowledge(contract.decode_records(&message))?;
            }
            Ok(())
        });
        let thread = thread.map_err(|error| diagnostics::thread_not_started(&error))?;
        Ok(LedgerThread { requests, thread })
    }

    /// Writes the end of the run, and returns the result of the push.
    pub(super) fn end_run(
        mut self,
        mut result: Result<(), Failure>,
        summary: &Summary,
    ) -> Result<(), Failure> {
        let unusable = |error| diagnostics::ledger_unusable(self.path, &error);
        let has_failed = self.error.is_some();
        if let Some(error) = self.error {
            result = Err(unusable(error).and(result.err()));
        }
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
        match (self.writer.end_run().map_err(unusable), result) {
            (Err(failure), result) if !has_failed => Err(match result {
                // A corrupt ledger fails in the same way whenever it is used.
                Err(before) if before.message == failure.message => before,
                result => failure.and(result.err()),
            }),
            (_, result) => result,
        }
    }
}

pub(super) struct LedgerThread<'scope> {
    requests: SyncSender<Bytes>,
    thread: ScopedJoinHandle<'scope, Result<(), LedgerError>>,
}

impl LedgerThread<'_> {
    /// Fails if the thread has ended because of an error, which [`Self::finish`] returns.
    pub(super) fn acknowledge(&self, message: Bytes) -> Result<(), SinkError> {
        self.requests.send(message).map_err(|_| SinkError)
    }

    /// Waits until all acknowledged requests are written.
    pub(super) fn finish(self) -> Result<(), LedgerError> {
        drop(self.requests);
        let joined = self.thread.join();
        joined.unwrap_or(Err(LedgerError::WriterPanicked))
    }
}
