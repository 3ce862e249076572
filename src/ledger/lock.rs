//! [`LedgerLock`]: allows only one process at a time to write to a ledger.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process,
    time::{Duration, Instant},
};

use super::error::LedgerError;
use crate::atomic_file::OWNER_ONLY_MODE;

/// A locked file beside the ledger, which contains the process ID of its holder. The operating
/// system releases the lock when the process ends, even if it is killed.
///
/// The ledger itself is not locked, because on NFS and BSD systems such a lock would exclude
/// SQLite's own locks on the file.
#[derive(Debug)]
pub(super) struct LedgerLock {
    _file: File,
}

const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl LedgerLock {
    /// Waits at most `timeout` for the lock of a ledger. `wait` sleeps for the given duration and
    /// returns whether to continue waiting.
    pub(super) fn acquire(
        ledger: &Path,
        timeout: Duration,
        wait: &dyn Fn(Duration) -> bool,
    ) -> Result<Self, LedgerError> {
        // All paths of the ledger, such as symbolic links, must lead to the same lock.
        let mut path = ledger.canonicalize()?.into_os_string();
        path.push("-lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.mode(OWNER_ONLY_MODE).open(path)?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) => {}
            }
            let waited = started.elapsed();
            if waited >= timeout || !wait(POLL_INTERVAL) {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                let holder = holder.trim_end().to_owned();
                return Err(LedgerError::Locked { holder, waited });
            }
        }
        // The width is fixed, so that one write replaces the process ID of the last holder.
        file.write_all(format!("process {:<10}\n", process::id()).as_bytes())?;
        Ok(Self { _file: file })
    }
}
