//! Opens a ledger file: for one writer, or for any number of readers.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    database::{has_write_ahead_log, open_immutable, open_read_only, open_read_write},
    error::LedgerError,
    lock::LedgerLock,
    schema,
};

/// Permissions of a ledger: only its owner may read and write it.
const OWNER_ONLY: u32 = 0o600;

/// A ledger that this process alone may write.
#[derive(Debug)]
pub(super) struct WritableLedger {
    // Dropped before the lock, as `LedgerLock` requires.
    pub(super) connection: Connection,
    _lock: LedgerLock,
}

/// A ledger to read. No process can begin to write to it, unless one wrote to it already.
pub(super) struct ReadableLedger {
    // Dropped before the lock, as `LedgerLock` requires.
    pub(super) connection: Connection,
    _lock: Option<LedgerLock>,
}

/// What opening a ledger does if the file does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingFile {
    Create,
    Fail,
}

/// Opens a ledger to write to it, and waits until no other process does.
///
/// `wait` sleeps for the given time and returns whether to go on waiting.
///
/// # Errors
///
/// The file is not a ledger, and is not changed; or another process still writes to it after
/// `lock_timeout`, or when `wait` returns false.
pub(super) fn open_to_write(
    path: &Path,
    lock_timeout: Duration,
    wait: &dyn Fn(Duration) -> bool,
    missing_file: MissingFile,
) -> Result<WritableLedger, LedgerError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(missing_file == MissingFile::Create)
        .truncate(false)
        .mode(OWNER_ONLY)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(LedgerError::NotALedger);
    }
    schema::check_file_header(&file)?;
    let started = Instant::now();
    let deadline = started + lock_timeout;
    let Some(lock) = LedgerLock::acquire_exclusive(file, deadline, wait)? else {
        return Err(LedgerError::Locked {
            pid: writer_pid(path),
            waited: started.elapsed(),
        });
    };
    // Another process may have created the database while this one waited.
    schema::check_file_header(lock.file())?;
    let mut connection = open_read_write(path)?;
    schema::check_database(&connection)?;
    lock.file()
        .set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    schema::upgrade(&mut connection)?;
    connection.execute("UPDATE meta SET holder = ?1", [std::process::id()])?;
    Ok(WritableLedger {
        connection,
        _lock: lock,
    })
}

/// Opens a ledger to read it, without waiting for a writer and without creating files.
///
/// # Errors
///
/// The file does not exist or is not a ledger.
pub(super) fn open_to_read(path: &Path) -> Result<ReadableLedger, LedgerError> {
    // Before opening, because opening a pipe waits for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(LedgerError::NotALedger);
    }
    let file = File::open(path)?;
    schema::check_file_header(&file)?;
    let lock = LedgerLock::try_acquire_shared(file)?;
    let connection = match &lock {
        Some(_) if !has_write_ahead_log(path) => open_immutable(path)?,
        _ => open_read_only(path)?,
    };
    schema::check_database(&connection)?;
    Ok(ReadableLedger {
        connection,
        _lock: lock,
    })
}

/// Returns the process that opened the ledger last to write to it. If a process writes now, it is
/// this one.
fn writer_pid(path: &Path) -> Option<u32> {
    let ledger = open_to_read(path).ok()?;
    ledger
        .connection
        .query_row("SELECT holder FROM meta", [], |row| row.get(0))
        .ok()
        .flatten()
}
