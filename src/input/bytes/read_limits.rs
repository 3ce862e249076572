//! Limits on the duration of a pass over an input: a deadline and a stop signal.

use std::{fs::File, io, os::unix::net::UnixStream, sync::Arc, time::Instant};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::stream_error::StreamError;

/// The conditions that end a pass before the end of the input. The default value has no conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadLimits {
    pub(crate) deadline: Option<Instant>,
    /// A socket that becomes readable when the program has to stop reading, for example after a
    /// signal.
    pub(crate) stop: Option<Arc<UnixStream>>,
}

impl ReadLimits {
    /// Blocks until `file` can be read without blocking.
    ///
    /// # Errors
    ///
    /// [`StreamError::ReadStopped`] if the deadline has passed or `stop` is readable, even if
    /// `file` is readable as well.
    pub(super) fn wait_until_readable(&self, file: &File) -> io::Result<()> {
        loop {
            let timeout = self.remaining_time()?;
            let mut polled = vec![PollFd::new(file, PollFlags::IN)];
            polled.extend(
                self.stop
                    .iter()
                    .map(|stop| PollFd::new(stop, PollFlags::IN)),
            );
            match poll(&mut polled, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let mut is_ready = polled.iter().map(|polled| !polled.revents().is_empty());
            let is_file_ready = is_ready.next() == Some(true);
            let is_stopped = is_ready.next() == Some(true);
            if is_stopped {
                return Err(StreamError::Interrupted.into());
            } else if is_file_ready {
                return Ok(());
            }
        }
    }

    /// Checks the limits without waiting. This check is enough for regular files, which never
    /// block.
    ///
    /// # Errors
    ///
    /// [`StreamError::ReadStopped`] if the deadline has passed or `stop` is readable.
    pub(super) fn check(&self) -> io::Result<()> {
        self.remaining_time()?;
        let Some(stop) = &self.stop else {
            return Ok(());
        };
        let mut polled = [PollFd::new(stop, PollFlags::IN)];
        let no_wait = Timespec::default();
        if poll(&mut polled, Some(&no_wait)).is_ok_and(|ready| ready > 0) {
            return Err(StreamError::Interrupted.into());
        }
        Ok(())
    }

    /// Returns the time until the deadline, or `None` if there is no deadline.
    ///
    /// # Errors
    ///
    /// [`StreamError::ReadStopped`] if the deadline has passed.
    fn remaining_time(&self) -> io::Result<Option<Timespec>> {
        let Some(deadline) = self.deadline else {
            return Ok(None);
        };
        let remaining = deadline.checked_duration_since(Instant::now());
        let remaining = remaining.ok_or(StreamError::DeadlinePassed)?;
        remaining.try_into().map(Some).map_err(io::Error::other)
    }
}
