//! [`Interrupts`]: the two events that end a command early: a signal, and the deadline of
//! `--max-time`.

use std::{
    future::Future,
    io,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use tokio::runtime::{self, Runtime};

use crate::{
    diagnostics::{self, Failure},
    input::ReadLimits,
    signals::Signals,
};

pub(super) struct Interrupts {
    pub(super) signals: Signals,
    pub(super) time_limit: Option<TimeLimit>,
}

pub(super) struct TimeLimit {
    pub(super) max_time: Duration,
    pub(super) deadline: Instant,
}

impl Interrupts {
    /// Installs the signal handlers for the rest of the command.
    pub(super) fn listen(time_limit: Option<TimeLimit>) -> Result<Self, Failure> {
        let signals = Signals::install()
            .map_err(|error| diagnostics::start_failed("cannot handle signals", &error))?;
        Ok(Self {
            signals,
            time_limit,
        })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.time_limit.as_ref().map(|limit| limit.deadline)
    }

    pub(super) fn read_limits(&self) -> ReadLimits {
        ReadLimits {
            deadline: self.deadline(),
            stop: Some(self.signals.wake_stream()),
        }
    }

    /// Returns the wait for a file that an option names, which may be a FIFO without a writer.
    pub(super) fn wait_to_read(&self) -> impl Fn(BorrowedFd<'_>) -> io::Result<()> {
        let limits = self.read_limits();
        move |file| limits.wait_until_readable(file)
    }

    /// Returns `None` if no signal has arrived.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.signals
            .received()
            .map(diagnostics::command_interrupted)
    }

    /// Returns the failure of a wait or a reading, which a signal or the deadline may have ended.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        match (self.failure(), &self.time_limit) {
            (Some(interruption), _) => interruption,
            (None, Some(limit)) if limit.deadline <= Instant::now() => {
                diagnostics::max_time_passed_before_requests(limit.max_time, failure)
            }
            _ => failure,
        }
    }

    /// Sleeps for the given time. Returns `false` if a signal has arrived or the deadline has
    /// passed.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let is_in_time = self
            .deadline()
            .is_none_or(|deadline| Instant::now() < deadline);
        is_in_time && self.signals.pause(time).is_none()
    }

    /// Runs `future` to its end, unless a signal arrives first.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, Failure> {
        block_on(async {
            tokio::select! {
                output = future => Ok(output),
                signal = self.signals.wait() => Err(diagnostics::command_interrupted(signal)),
            }
        })?
    }
}

/// Runs `future` to its end, in a Tokio runtime on the current thread.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = runtime()
        .map_err(|error| diagnostics::start_failed("cannot set up network I/O", &error))?;
    Ok(runtime.block_on(future))
}

pub(super) fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}
