//! One writer at a time.

use std::{
    fs::{File, TryLockError},
    io,
    time::{Duration, Instant},
};

/// An advisory lock on the ledger's own file. The system frees it with the process, however that
/// ends.
///
/// It is of another kind (flock(2)) than SQLite's own (fcntl(2)), so that the two don't see each
/// other. But closing any descriptor of a file gives up the process's locks of SQLite's kind
/// (POSIX): this one must stay open for as long as the database is.
#[derive(Debug)]
pub(super) struct Lock(File);

const POLL: Duration = Duration::from_millis(20);

impl Lock {
    /// Waits for the lock; `None` if somebody else has it still at the deadline, or when `pause` says
    /// that there is to be no more waiting.
    pub(super) fn take(
        file: File,
        deadline: Instant,
        pause: &dyn Fn(Duration) -> bool,
    ) -> io::Result<Option<Self>> {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline && pause(POLL) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
            }
        }
    }

    /// The lock of those who look only, of whom there may be many; `None` if somebody writes.
    pub(super) fn try_shared(file: File) -> io::Result<Option<Self>> {
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => Ok(None),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.0
    }
}
