//! The database: how it is opened, whose it is, and how one version becomes the next.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::Path,
};

use rusqlite::{Connection, OpenFlags};

use super::{LedgerError, immediate};

/// Says in a database's header whose it is (`PRAGMA application_id`): `SLld`.
const APPLICATION_ID: i64 = 0x534c_6c64;

/// Each takes the schema from one version to the next; the first makes it. They never change once
/// released: what comes later is added.
const MIGRATIONS: [&str; 1] = ["
    -- One row: what the digests begin with, and the process that opened the ledger last.
    CREATE TABLE meta (salt BLOB NOT NULL, holder INTEGER) STRICT;
    INSERT INTO meta (salt) VALUES (randomblob(16));
    CREATE TABLE target (
        id INTEGER PRIMARY KEY,
        authority TEXT NOT NULL,
        method TEXT NOT NULL,
        UNIQUE (authority, method)
    ) STRICT;
    -- Acknowledged records side by side, 20 bytes each: 16 of the token's digest, 4 of the time,
    -- big-endian. Of several with one digest the last in the last segment counts.
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY,
        target INTEGER NOT NULL REFERENCES target (id),
        records BLOB NOT NULL,
        -- 0 where another time was sent since, and it is not known whether it arrived.
        is_sure INTEGER NOT NULL,
        -- XXH3-64 of the records: what disks and hands do to them is noticed.
        checksum INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX segment_of_target ON segment (target);
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        target INTEGER NOT NULL REFERENCES target (id),
        input TEXT NOT NULL,
        started INTEGER NOT NULL,
        -- The rest is null until the run has ended, and stays so where it was killed.
        ended INTEGER,
        read INTEGER,
        unchanged INTEGER,
        acknowledged INTEGER,
        rejected INTEGER,
        unsent INTEGER,
        status TEXT,
        exit_code INTEGER
    ) STRICT;
    CREATE INDEX run_of_target ON run (target);
"];

/// The present version of the schema (`PRAGMA user_version`).
#[allow(clippy::cast_possible_wrap, reason = "there are a few")]
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Readers and this program's own commands are waited for; another writer is kept out by the lock.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) fn connect_to_write(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // To SQLite `:memory:` and `file:` have a meaning that no absolute path has.
    let connection = Connection::open_with_flags(std::path::absolute(path)?, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

pub(super) fn connect_to_read(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(std::path::absolute(path)?, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Opens a database that nobody writes to and that has no log. SQLite would make the log's files
/// to read it, and leave them behind (<https://sqlite.org/uri.html#uriimmutable>).
pub(super) fn connect_to_still(path: &Path) -> Result<Connection, LedgerError> {
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

/// Whether something of a database may stand in its write-ahead log.
pub(super) fn has_log(path: &Path) -> bool {
    // SQLite names it after the file that a link leads to.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut log = path.into_os_string();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// Whether a file may be a ledger, or is empty. Found out without SQLite, which would tidy up after
/// the last user of a database that is somebody else's.
pub(super) fn check_file(file: &File) -> Result<(), LedgerError> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    // https://sqlite.org/fileformat.html#the_database_header
    const VERSION_AT: usize = 60;
    const APPLICATION_ID_AT: usize = 68;
    let mut header = [0; 100];
    match file.read_exact_at(&mut header, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return match file.metadata()?.len() {
                0 => Ok(()),
                _ => Err(LedgerError::NotALedger),
            };
        }
        Err(error) => return Err(error.into()),
    }
    let is_ours = header[APPLICATION_ID_AT..].starts_with(&APPLICATION_ID.to_be_bytes()[4..]);
    if !header.starts_with(MAGIC) || !is_ours {
        return Err(LedgerError::NotALedger);
    }
    let mut version = [0; 4];
    version.copy_from_slice(&header[VERSION_AT..VERSION_AT + 4]);
    match i32::from_be_bytes(version).into() {
        newer if newer > VERSION => Err(LedgerError::NewerSchema { version: newer }),
        _ => Ok(()),
    }
}

/// Whether the database is a ledger that this version can use, or empty.
pub(super) fn check(connection: &Connection) -> Result<(), LedgerError> {
    match (
        pragma(connection, "application_id")?,
        pragma(connection, "user_version")?,
    ) {
        (APPLICATION_ID, 1..=VERSION) => Ok(()),
        (APPLICATION_ID, newer) => Err(LedgerError::NewerSchema { version: newer }),
        (0, 0) if is_empty(connection)? => Ok(()),
        _ => Err(LedgerError::NotALedger),
    }
}

/// Brings a checked database to the present version.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), LedgerError> {
    // Before the write-ahead log is used, so that the file itself says from the start whose it is.
    migrate(connection, &MIGRATIONS)?;
    // A push that is killed loses nothing that was committed. When the whole machine goes down,
    // NORMAL may lose the last commits, and no more than that: their records are sent again.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(())
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), LedgerError> {
    loop {
        let transaction = immediate(connection)?;
        let version = pragma(&transaction, "user_version")?;
        let next = usize::try_from(version)
            .ok()
            .and_then(|at| migrations.get(at));
        let Some(migration) = next else {
            return Ok(());
        };
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
    }
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, LedgerError> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Whether a database has nothing in it yet.
pub(super) fn is_empty(connection: &Connection) -> Result<bool, LedgerError> {
    Ok(
        connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
            row.get(0)
        })?,
    )
}

/// What the digests of this ledger begin with.
pub(super) fn salt(connection: &Connection) -> Result<Vec<u8>, LedgerError> {
    Ok(connection.query_row("SELECT salt FROM meta", [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_becomes_the_next() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate(&mut connection, &MIGRATIONS).expect("made");
        assert_eq!(
            pragma(&connection, "user_version").expect("a number"),
            VERSION
        );
        connection
            .execute(
                "INSERT INTO target (authority, method) VALUES ('a', '/b/c')",
                [],
            )
            .expect("a row");
        let later = [MIGRATIONS[0], "ALTER TABLE target ADD COLUMN note TEXT"];
        migrate(&mut connection, &later).expect("migrated");
        migrate(&mut connection, &later).expect("nothing left to do");
        assert_eq!(pragma(&connection, "user_version").expect("a number"), 2);
        let note: Option<String> = connection
            .query_row("SELECT note FROM target WHERE authority = 'a'", [], |row| {
                row.get(0)
            })
            .expect("the row");
        assert_eq!(note, None);
        assert!(matches!(
            check(&connection),
            Err(LedgerError::NewerSchema { version: 2 })
        ));
        // One that fails leaves the version before.
        let broken = [
            later[0],
            later[1],
            "CREATE TABLE more (x); CREATE TABLE target (x)",
        ];
        migrate(&mut connection, &broken).expect_err("a table that is there");
        assert_eq!(pragma(&connection, "user_version").expect("a number"), 2);
        connection
            .prepare("SELECT * FROM more")
            .expect_err("rolled back");
    }
}
