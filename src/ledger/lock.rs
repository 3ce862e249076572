//! The lock that admits one writer to a ledger at a time.

use std::{
    fs::{File, TryLockError},
    io,
    time::{Duration, Instant},
};

/// An advisory lock on the ledger file. The system releases it when the process ends, even if the
/// process is killed.
///
/// This lock is of another kind (flock(2)) than the locks of SQLite (fcntl(2)), so that the two do
/// not interfere. But closing any file descriptor of a file releases the fcntl locks that the process
/// has on it. Therefore this lock must stay open for as long as the database is open.
#[derive(Debug)]
pub(super) struct LedgerLock(File);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl LedgerLock {
    /// Waits for the exclusive lock, which a writer needs.
    ///
    /// `wait` sleeps for the given time and returns whether to go on waiting. Returns `None` if
    /// another process still has the lock at the deadline, or when `wait` returns false.
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

    /// Takes the shared lock, which several readers may have. Returns `None` if a process writes.
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
