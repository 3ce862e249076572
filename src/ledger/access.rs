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
const OWNER_ONLY_MODE: u32 = 0o600;

/// An open ledger that only this process may write to.
#[derive(Debug)]
pub(super) struct WritableLedger {
    // Declared before the lock and therefore dropped before it, as `LedgerLock` requires.
    pub(super) connection: Connection,
    _lock: LedgerLock,
}

/// A ledger that is open for reading. `_lock` keeps writers out. `_lock` is `None` if a process was
/// already writing when the ledger was opened.
pub(super) struct ReadableLedger {
    // Declared before the lock and therefore dropped before it, as `LedgerLock` requires.
    pub(super) connection: Connection,
    _lock: Option<LedgerLock>,
}

/// The action of [`open_to_write`] if the file does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingFile {
    Create,
    Fail,
}

/// Opens a ledger for writing, and waits until no other process locks the ledger.
///
/// `wait` sleeps for the given duration and returns whether to continue waiting.
///
/// # Errors
///
/// - The file does not exist, and `missing_file` is [`MissingFile::Fail`].
/// - The file is not a ledger. Such a file is left unchanged.
/// - A different process still locks the ledger after `lock_timeout`, or when `wait` returns false.
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
        .mode(OWNER_ONLY_MODE)
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
    // A different process may have created the database while this process waited for the lock, so
    // the header is checked again.
    schema::check_file_header(lock.file())?;
    let mut connection = open_read_write(path)?;
    schema::check_database(&connection)?;
    lock.file()
        .set_permissions(Permissions::from_mode(OWNER_ONLY_MODE))?;
    schema::upgrade(&mut connection)?;
    connection.execute("UPDATE meta SET holder = ?1", [std::process::id()])?;
    Ok(WritableLedger {
        connection,
        _lock: lock,
    })
}

/// Opens a ledger for reading. Does not wait for a writer and creates no files.
///
/// # Errors
///
/// The file does not exist or is not a ledger.
pub(super) fn open_to_read(path: &Path) -> Result<ReadableLedger, LedgerError> {
    // This check comes before `File::open`, because opening a named pipe waits until a process
    // opens the pipe for writing.
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

/// Returns the id of the process that last opened the ledger for writing, which is the writing
/// process if there is one. Returns `None` if the id cannot be read.
fn writer_pid(path: &Path) -> Option<u32> {
    let ledger = open_to_read(path).ok()?;
    ledger
        .connection
        .query_row("SELECT holder FROM meta", [], |row| row.get(0))
        .ok()
        .flatten()
}
