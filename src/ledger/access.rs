//! Opens a ledger for one writer. [`FORMAT`] opens it for any number of readers.

use std::{path::Path, time::Duration};

use rusqlite::Connection;

use super::{error::LedgerError, lock::LedgerLock, schema::FORMAT};
use crate::database;

/// An open ledger that only this process may write to.
#[derive(Debug)]
pub(super) struct WritableLedger {
    pub(super) connection: Connection,
    _lock: LedgerLock,
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
        let lock = LedgerLock::acquire(path, lock_timeout, wait)?;
        let connection = FORMAT.open_to_write(path)?;
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
