//! Limits on the duration of a pass over an input: a deadline and a stop signal.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::stream_error::StreamError;

#[derive(Clone, Debug, Default)]
pub(crate) struct ReadLimits {
    pub(crate) deadline: Option<Instant>,
    /// A socket that becomes readable when a signal arrives.
    pub(crate) stop: Option<Arc<UnixStream>>,
}

impl ReadLimits {
    pub(crate) fn wait_until_readable(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        while !self.poll(Some(file), self.remaining_time()?)? {}
        Ok(())
    }

    /// Checks the limits without waiting, which is enough for regular files.
    pub(super) fn check(&self) -> io::Result<()> {
        self.remaining_time()?;
        self.poll(None, Some(Timespec::default())).map(drop)
    }

    fn poll(&self, file: Option<BorrowedFd<'_>>, timeout: Option<Timespec>) -> io::Result<bool> {
        let mut polled: Vec<_> = self
            .stop
            .iter()
            .map(AsFd::as_fd)
            .chain(file)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut is_ready = polled.iter().map(|polled| !polled.revents().is_empty());
        if self.stop.is_some() && is_ready.next() == Some(true) {
            return Err(StreamError::Interrupted.into());
        }
        Ok(is_ready.next() == Some(true))
    }

    fn remaining_time(&self) -> io::Result<Option<Timespec>> {
        let Some(deadline) = self.deadline else {
            return Ok(None);
        };
        let remaining = deadline.checked_duration_since(Instant::now());
        let remaining = remaining.ok_or(StreamError::DeadlinePassed)?;
        remaining.try_into().map(Some).map_err(io::Error::other)
    }
}
