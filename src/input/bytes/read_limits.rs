//! How long to wait, and when to read no more.

use std::{fs::File, io, os::unix::net::UnixStream, sync::Arc, time::Instant};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::input::problem::StreamError;

/// How long reading may take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    pub(crate) deadline: Option<Instant>,
    /// It ends when there is something to read here.
    pub(crate) stop: Option<Arc<UnixStream>>,
}

impl Patience {
    /// What is left of it.
    ///
    /// # Errors
    ///
    /// [`StreamError::TooLate`] where nothing is.
    fn left(&self) -> io::Result<Option<Timespec>> {
        let Some(deadline) = self.deadline else {
            return Ok(None);
        };
        let left = deadline.checked_duration_since(Instant::now());
        let left = left.ok_or(StreamError::TooLate)?;
        left.try_into().map(Some).map_err(io::Error::other)
    }

    /// Waits until there is something to read from a file.
    ///
    /// # Errors
    ///
    /// [`StreamError::TooLate`] where this ends, whatever there is to read.
    pub(in crate::input) fn wait_for(&self, file: &File) -> io::Result<()> {
        loop {
            let left = self.left()?;
            let mut polled = vec![PollFd::new(file, PollFlags::IN)];
            polled.extend(
                self.stop
                    .iter()
                    .map(|stop| PollFd::new(stop, PollFlags::IN)),
            );
            match poll(&mut polled, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let mut is_ready = polled.iter().map(|one| !one.revents().is_empty());
            let file_is_ready = is_ready.next() == Some(true);
            if is_ready.next() == Some(true) {
                return Err(StreamError::TooLate.into());
            } else if file_is_ready {
                return Ok(());
            }
        }
    }

    /// The same where there is nothing to wait for.
    pub(in crate::input) fn check(&self) -> io::Result<()> {
        self.left()?;
        let stop = self.stop.iter();
        let mut polled: Vec<_> = stop.map(|stop| PollFd::new(stop, PollFlags::IN)).collect();
        let at_once = Some(&Timespec::default());
        if !polled.is_empty() && poll(&mut polled, at_once).is_ok_and(|ready| ready > 0) {
            return Err(StreamError::TooLate.into());
        }
        Ok(())
    }
}
