//! [`LedgerLock`]: allows only one process at a time to write to a ledger.

use std::{
    fs::{File, TryLockError},
    io,
    time::{Duration, Instant},
};

/// An advisory lock on the ledger file. The operating system releases the lock when the process
/// ends, even if the process is killed.
///
/// The database must be closed before `LedgerLock` is dropped. Dropping `LedgerLock` closes a file
/// descriptor of the ledger. When a process closes any descriptor of a file, the process loses all
/// of its fcntl(2) locks on the file, which are the locks of SQLite. `LedgerLock` itself uses
/// flock(2), which does not interfere with fcntl(2) locks.
#[derive(Debug)]
pub(super) struct LedgerLock(File);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl LedgerLock {
    /// Waits for the exclusive lock, which a writer needs.
    ///
    /// `wait` sleeps for the given duration and returns whether to continue waiting. Returns `None`
    /// if a different process still has the lock at the deadline, or when `wait` returns false.
    pub(super) fn acquire_exclusive(
        file: File,
        deadline: Instant,
        wait: &dyn Fn(Duration) -> bool,
    ) -> io::Result<Option<Self>> {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock)
                    if Instant::now() < deadline && wait(POLL_INTERVAL) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
            }
        }
    }

    /// Takes the shared lock, which several readers may have at the same time. Returns `None` if a
    /// writer has the exclusive lock.
    pub(super) fn try_acquire_shared(file: File) -> io::Result<Option<Self>> {
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
