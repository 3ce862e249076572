//! The ledger as an output of a push.
//!
//! An *entry* of the ledger is the expiration time that the server acknowledged for a token. The
//! *known times* are all entries of this server. An entry is *unconfirmed* if a different
//! expiration time was sent later, but no response shows whether the server applied that time.

use std::{
    cell::Cell,
    path::PathBuf,
    sync::mpsc::{self, SyncSender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::plan::{LedgerPlan, Plan};
use crate::{
    commands::{
        clock::unix_now,
        reactor::{Reactor, TimeLimit},
    },
    contract::Contract,
    delivery::{RemoteServer, SinkError},
    diagnostics::{self, Failure},
    ledger::{KnownTimes, LedgerError, LedgerWriter, RunEnd, RunStart, TargetKey},
    report::{Status, Summary},
};

/// The maximum number of acknowledged requests that wait to be written to the ledger. If this
/// number of requests is waiting, the delivery pauses until the ledger thread takes the next
/// request.
const MAX_WAITING_REQUESTS: usize = 16;

/// The ledger of a push. While requests are sent, a separate thread writes to the ledger, so that
/// the delivery does not wait for the disk.
pub(super) struct LedgerOutput {
    path: PathBuf,
    state: WriterState,
}

enum WriterState {
    Idle {
        writer: Box<LedgerWriter>,
        contract: Contract,
    },
    Running {
        /// The queue of acknowledged request messages that the thread writes to the ledger.
        requests: SyncSender<Bytes>,
        thread: JoinHandle<Result<LedgerWriter, LedgerError>>,
    },
    Stopped,
}

impl LedgerOutput {
    /// Opens the ledger and writes the start of this run.
    ///
    /// # Errors
    ///
    /// The ledger cannot be used, another process still holds its lock when the lock timeout or
    /// the time limit has passed, or a signal ends the wait for the lock.
    pub(super) fn open(
        plan: &Plan,
        ledger: &LedgerPlan,
        server: &RemoteServer<'_>,
        time_limit: Option<TimeLimit>,
        reactor: &Reactor<'_>,
    ) -> Result<Self, Failure> {
        let remaining = time_limit.map_or(Duration::MAX, |limit| {
            limit.deadline.saturating_duration_since(Instant::now())
        });
        let lock_timeout = ledger.lock_timeout.min(remaining);
        let signal = Cell::new(None);
        let pause = |time| {
            signal.set(reactor.pause(time));
            signal.get().is_none()
        };
        let open = || {
            let key = target_key(server);
            let mut writer = LedgerWriter::open(&ledger.path, &key, lock_timeout, &pause)?;
            writer.begin_run(&run_start(plan))?;
            Ok(writer)
        };
        let writer = open().map_err(|error| match signal.get() {
            Some(signal) => diagnostics::command_interrupted(signal),
            None => diagnostics::ledger_unusable(&ledger.path, &error),
        })?;
        Ok(Self {
            path: ledger.path.clone(),
            state: WriterState::Idle {
                writer: Box::new(writer),
                contract: server.contract.clone(),
            },
        })
    }

    /// Returns the expiration times that the server acknowledged in earlier runs. The caller must
    /// call this method before [`Self::start`], because the ledger thread then owns the ledger.
    pub(super) fn known_times(&self) -> Result<KnownTimes, Failure> {
        match &self.state {
            WriterState::Idle { writer, .. } => writer
                .known_times()
                .map_err(|error| diagnostics::ledger_unusable(&self.path, &error)),
            WriterState::Running { .. } | WriterState::Stopped => Ok(KnownTimes::empty()),
        }
    }

    /// Marks each ledger entry that this run will change as unconfirmed. The caller must do this
    /// before [`Self::start`] and before the first request. If a response is lost, it is unknown
    /// which expiration time the server has.
    pub(super) fn mark_unconfirmed(&mut self, known: &KnownTimes) -> Result<(), Failure> {
        match &mut self.state {
            WriterState::Idle { writer, .. } => writer
                .mark_unconfirmed(known)
                .map_err(|error| diagnostics::ledger_unusable(&self.path, &error)),
            WriterState::Running { .. } | WriterState::Stopped => Ok(()),
        }
    }

    /// Starts the thread that writes acknowledged requests to the ledger.
    pub(super) fn start(&mut self) {
        let state = std::mem::replace(&mut self.state, WriterState::Stopped);
        let WriterState::Idle {
            mut writer,
            contract,
        } = state
        else {
            return;
        };
        let (requests, received) = mpsc::sync_channel::<Bytes>(MAX_WAITING_REQUESTS);
        let thread = thread::spawn(move || {
            for message in received {
                writer.acknowledge(contract.decode_records(&message))?;
            }
            Ok(*writer)
        });
        self.state = WriterState::Running { requests, thread };
    }

    /// Hands the message of an acknowledged request to the writing thread.
    ///
    /// # Errors
    ///
    /// The writing thread has ended because of an error. [`Self::stop`] returns this error.
    pub(super) fn acknowledge(&self, message: Bytes) -> Result<(), SinkError> {
        match &self.state {
            WriterState::Running { requests, .. } => requests.send(message).map_err(|_| SinkError),
            WriterState::Idle { .. } | WriterState::Stopped => Err(SinkError),
        }
    }

    /// Waits until the ledger thread has written all acknowledged requests and ended.
    pub(super) fn stop(self) -> Result<StoppedLedger, Failure> {
        let Self { path, state } = self;
        let stopped = match state {
            WriterState::Idle { writer, .. } => Ok(*writer),
            WriterState::Running { requests, thread } => {
                drop(requests);
                thread.join().unwrap_or(Err(LedgerError::WriterPanicked))
            }
            WriterState::Stopped => Err(LedgerError::WriterPanicked),
        };
        match stopped {
            Ok(writer) => Ok(StoppedLedger { path, writer }),
            Err(error) => Err(diagnostics::ledger_unusable(&path, &error)),
        }
    }
}

/// The ledger after its thread has ended. It contains every acknowledgment of the run, but not yet
/// the end of the run.
pub(super) struct StoppedLedger {
    path: PathBuf,
    writer: LedgerWriter,
}

impl StoppedLedger {
    /// Writes the end of the run: its counts, status and exit code.
    pub(super) fn end_run(
        mut self,
        result: &Result<(), Failure>,
        summary: &Summary,
    ) -> Result<(), Failure> {
        self.writer
            .end_run(&run_end(result, summary))
            .map_err(|error| diagnostics::ledger_unusable(&self.path, &error))
    }
}

/// Returns the key under which the ledger stores the entries of this server.
pub(super) fn target_key(server: &RemoteServer<'_>) -> TargetKey {
    TargetKey {
        authority: server.target.authority.to_string(),
        method: server.contract.path.to_string(),
    }
}

fn run_start(plan: &Plan) -> RunStart {
    let names: Vec<_> = plan
        .input
        .sources
        .iter()
        .map(|source| source.name().to_string())
        .collect();
    RunStart {
        started: unix_now(),
        input: names.join(", "),
    }
}

fn run_end(result: &Result<(), Failure>, summary: &Summary) -> RunEnd {
    let records = &summary.records;
    RunEnd {
        ended: unix_now(),
        read: records.read,
        unchanged: records.unchanged,
        acknowledged: records.acknowledged,
        rejected: records.rejected,
        unsent: records.unsent,
        status: Status::from_result(result).as_str(),
        exit_code: result
            .as_ref()
            .map_or_else(|failure| failure.exit_code, |()| 0),
    }
}
