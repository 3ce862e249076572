//! The Tokio runtime that a command runs on, with the signals and the time limit that end its waits.

use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};

use crate::{
    diagnostics::Failure,
    signals::{Signal, Signals},
};

/// Takes over the signals for the rest of a command.
///
/// A command calls this after it has read the files that options name. Until then a signal ends the
/// process, even if the reading waits for a FIFO without a writer.
pub(super) fn listen_for_signals() -> Result<Signals, Failure> {
    Signals::install().map_err(|error| Failure::internal("no signals", &error))
}

/// Builds a runtime that runs everything on the calling thread.
pub(super) fn new_runtime() -> Result<Runtime, Failure> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("no runtime", &error))
}

/// A runtime together with the signals that interrupt what runs on it.
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

    /// Blocks for the given time, or until a signal arrives, which is then returned.
    pub(super) fn pause(&self, time: Duration) -> Option<Signal> {
        let wait = async { tokio::time::timeout(time, self.signals.wait()).await };
        self.runtime.block_on(wait).ok()
    }
}

/// The limit that `--max-time` puts on a whole run.
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
