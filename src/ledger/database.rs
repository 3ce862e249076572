//! Opens the SQLite database of a ledger.

use std::{fmt::Write as _, fs, os::unix::ffi::OsStrExt, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::error::LedgerError;

/// The maximum time that SQLite waits for its own locks, which a reader or the writer may hold for
/// a short time. Two writers never wait for each other here, because `LedgerLock` allows only one
/// writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn open_read_write(path: &Path) -> Result<Connection, LedgerError> {
    open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

pub(super) fn open_read_only(path: &Path) -> Result<Connection, LedgerError> {
    open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open_with(path: &Path, access: OpenFlags) -> Result<Connection, LedgerError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // SQLite treats `:memory:` and names that begin with `file:` specially. An absolute path begins
    // with `/`, so SQLite always takes an absolute path as a file name.
    let connection = Connection::open_with_flags(std::path::absolute(path)?, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Opens a database for reading. No process may write to the database while it is open, and its
/// write-ahead log must be empty or missing.
///
/// Without `immutable=1`, SQLite would create the files of a write-ahead log to read the database,
/// and would leave these files behind (<https://sqlite.org/uri.html#uriimmutable>).
pub(super) fn open_immutable(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let mut uri = String::from(if path.is_absolute() {
        "file://"
    } else {
        "file:"
    });
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' => uri.push('/'),
            byte => {
                let _ = write!(uri, "%{byte:02x}");
            }
        }
    }
    uri.push_str("?immutable=1");
    Ok(Connection::open_with_flags(uri, flags)?)
}

/// Returns whether the write-ahead log of a database exists and is not empty.
pub(super) fn has_write_ahead_log(path: &Path) -> bool {
    // SQLite names the log after the file that a symbolic link points to, so symbolic links are
    // resolved first.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut log = path.into_os_string();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// Begins a transaction that takes the write lock at once. A transaction that reads first and takes
/// the lock later could fail because of a concurrent writer.
pub(super) fn begin_immediate(connection: &mut Connection) -> Result<Transaction<'_>, LedgerError> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}
