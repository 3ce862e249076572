//! The Tokio runtime of a command, and the two events that end a wait: a signal, and the deadline
//! of `--max-time`.

use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};

use crate::{
    diagnostics::Failure,
    signals::{Signal, Signals},
};

/// Installs the signal handlers for the rest of the command.
///
/// The caller must have read the certificate, key and header files before it calls this function.
/// Such a file may be a FIFO without a writer. Without a handler, a signal ends the process even
/// while it waits for the writer.
pub(super) fn listen_for_signals() -> Result<Signals, Failure> {
    Signals::install().map_err(|error| Failure::internal("no signals", &error))
}

/// Returns a new Tokio runtime that runs all tasks on the current thread.
pub(super) fn new_runtime() -> Result<Runtime, Failure> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("no runtime", &error))
}

/// A Tokio runtime, and the signals that interrupt its tasks.
pub(super) struct Reactor<'s> {
    pub(super) runtime: Runtime,
    pub(super) signals: &'s Signals,
}

impl<'s> Reactor<'s> {
    pub(super) fn new(signals: &'s Signals) -> Result<Self, Failure> {
        Ok(Self {
            runtime: new_runtime()?,
            signals,
        })
    }

    /// Blocks for the given time, or until a signal arrives. Returns the signal, or `None` if no
    /// signal arrived in this time.
    pub(super) fn pause(&self, time: Duration) -> Option<Signal> {
        let wait = async { tokio::time::timeout(time, self.signals.wait()).await };
        self.runtime.block_on(wait).ok()
    }
}

/// The time limit of a whole run, which `--max-time` sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit {
    pub(super) deadline: Instant,
    /// The time from the start of the run to the deadline.
    pub(super) max_time: Duration,
}

impl TimeLimit {
    pub(super) fn new(started: Instant, max_time: Duration) -> Self {
        Self {
            deadline: started + max_time,
            max_time,
        }
    }
}
