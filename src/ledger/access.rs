//! Opens a ledger for one writer. [`FORMAT`] opens it for any number of readers.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{error::LedgerError, schema::FORMAT};
use crate::{atomic_file::OWNER_ONLY_MODE, database};

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// An open ledger that only this process may write to.
#[derive(Debug)]
pub(super) struct WritableLedger {
    pub(super) connection: Connection,
    _lock: File,
}

impl WritableLedger {
    /// Opens a ledger, and waits at most `lock_timeout` until no other process writes to it. An
    /// empty file becomes a ledger, and a file of another format is left unchanged.
    ///
    /// `wait` sleeps for the given duration and returns whether to continue waiting.
    pub(super) fn open(
        path: &Path,
        lock_timeout: Duration,
        wait: &dyn Fn(Duration) -> bool,
    ) -> Result<Self, LedgerError> {
        // No lock file is created beside a file of another format.
        FORMAT.check_file(path)?;
        let started = Instant::now();
        let lock = acquire_lock(path, lock_timeout, wait)?;
        // SQLite waits without noticing a signal, so it waits only briefly while the ledger is
        // opened.
        let connection = loop {
            match FORMAT.open_to_write(path, POLL_INTERVAL) {
                Err(error) if error.is_locked() => {
                    let waited = started.elapsed();
                    if waited >= lock_timeout || !wait(POLL_INTERVAL) {
                        let holder = "another program".to_owned();
                        return Err(LedgerError::Locked { holder, waited });
                    }
                }
                opened => break opened?,
            }
        };
        connection.busy_timeout(lock_timeout)?;
        // With `NORMAL`, a killed push loses no committed entry. A crash of the machine may lose
        // the last commits. The next push then sends the records of these commits again.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self {
            connection,
            _lock: lock,
        })
    }
}

impl Drop for WritableLedger {
    fn drop(&mut self) {
        database::close(&self.connection);
    }
}

/// Locks a file beside the ledger, which contains the process ID of its holder. The operating
/// system releases the lock when the process ends, even if it is killed.
///
/// The ledger itself is not locked, because on NFS and BSD systems such a lock would exclude
/// SQLite's own locks on the file.
fn acquire_lock(
    ledger: &Path,
    timeout: Duration,
    wait: &dyn Fn(Duration) -> bool,
) -> Result<File, LedgerError> {
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
    Ok(file)
}
