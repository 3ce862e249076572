//! The tables of a ledger, the migrations of these tables, and the checks that a file is a ledger.

use std::{fs::File, io, os::unix::fs::FileExt};

use rusqlite::Connection;

use super::{database::begin_immediate, error::LedgerError};

/// The `PRAGMA application_id` in the header of a database that is a ledger: `SLld` in ASCII.
const APPLICATION_ID: i64 = 0x534c_6c64;

/// The migrations, each from one version of the schema to the next. The first migration creates the
/// schema.
///
/// A released migration must never change. A change of the schema is a new migration at the end.
/// The SQL comments must not change either, because SQLite stores them in the database.
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

/// The version of the schema that this program writes (`PRAGMA user_version`).
#[allow(clippy::cast_possible_wrap, reason = "there are few migrations")]
const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Checks that a file is a ledger that this version can use, or is empty.
///
/// The header is read without SQLite, because SQLite deletes the write-ahead log of a database when
/// the last connection closes. This would change a database of a different program.
pub(super) fn check_file_header(file: &File) -> Result<(), LedgerError> {
    // The layout of the header is documented at
    // https://sqlite.org/fileformat.html#the_database_header
    const MAGIC: &[u8] = b"SQLite format 3\0";
    const HEADER_BYTES: usize = 100;
    const USER_VERSION_OFFSET: usize = 60;
    const APPLICATION_ID_OFFSET: usize = 68;
    let mut header = [0; HEADER_BYTES];
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
    let application_id = &APPLICATION_ID.to_be_bytes()[4..];
    if !header.starts_with(MAGIC) || !header[APPLICATION_ID_OFFSET..].starts_with(application_id) {
        return Err(LedgerError::NotALedger);
    }
    let mut user_version = [0; 4];
    user_version.copy_from_slice(&header[USER_VERSION_OFFSET..USER_VERSION_OFFSET + 4]);
    match i32::from_be_bytes(user_version).into() {
        version if version > SCHEMA_VERSION => Err(newer_schema(version)),
        _ => Ok(()),
    }
}

/// Checks that a database is a ledger that this version can use, or is empty.
pub(super) fn check_database(connection: &Connection) -> Result<(), LedgerError> {
    match (
        pragma(connection, "application_id")?,
        pragma(connection, "user_version")?,
    ) {
        (APPLICATION_ID, 1..=SCHEMA_VERSION) => Ok(()),
        (APPLICATION_ID, version) => Err(newer_schema(version)),
        (0, 0) if is_empty(connection)? => Ok(()),
        _ => Err(LedgerError::NotALedger),
    }
}

fn newer_schema(version: i64) -> LedgerError {
    LedgerError::NewerSchema {
        version,
        supported: SCHEMA_VERSION,
    }
}

/// Upgrades a checked database to the current version of the schema.
pub(super) fn upgrade(connection: &mut Connection) -> Result<(), LedgerError> {
    // The migration must come before the write-ahead log is enabled. Otherwise the application id
    // could be only in the write-ahead log, but `check_file_header` reads the application id from
    // the database file itself.
    migrate(connection, &MIGRATIONS)?;
    // With `synchronous = NORMAL`, a killed push loses no committed entry. A crash of the machine
    // may lose the last commits. The next push then sends the records of these commits again.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(())
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), LedgerError> {
    loop {
        let transaction = begin_immediate(connection)?;
        let version = pragma(&transaction, "user_version")?;
        let migration = usize::try_from(version)
            .ok()
            .and_then(|index| migrations.get(index));
        let Some(migration) = migration else {
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

/// Returns whether a database has no tables yet.
pub(super) fn is_empty(connection: &Connection) -> Result<bool, LedgerError> {
    Ok(
        connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
            row.get(0)
        })?,
    )
}

/// Returns the salt: the random bytes that are hashed before each token.
pub(super) fn salt(connection: &Connection) -> Result<Vec<u8>, LedgerError> {
    Ok(connection.query_row("SELECT salt FROM meta", [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADD_COLUMN: &str = "ALTER TABLE target ADD COLUMN note TEXT";

    fn user_version(connection: &Connection) -> i64 {
        pragma(connection, "user_version").expect("a number")
    }

    fn current_ledger() -> Connection {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate(&mut connection, &MIGRATIONS).expect("the schema");
        connection
    }

    #[test]
    fn creates_the_current_schema() {
        let connection = current_ledger();
        assert_eq!(user_version(&connection), SCHEMA_VERSION);
        check_database(&connection).expect("a ledger");
    }

    #[test]
    fn migration_keeps_rows_and_runs_once() {
        let mut connection = current_ledger();
        connection
            .execute(
                "INSERT INTO target (authority, method) VALUES ('a', '/b/c')",
                [],
            )
            .expect("a row");
        let migrations = [MIGRATIONS[0], ADD_COLUMN];
        migrate(&mut connection, &migrations).expect("migrated");
        migrate(&mut connection, &migrations).expect("nothing left to do");
        assert_eq!(user_version(&connection), 2);
        let note: Option<String> = connection
            .query_row("SELECT note FROM target WHERE authority = 'a'", [], |row| {
                row.get(0)
            })
            .expect("the row");
        assert_eq!(note, None);
        assert!(matches!(
            check_database(&connection),
            Err(LedgerError::NewerSchema { version: 2, .. })
        ));
    }

    #[test]
    fn failed_migration_leaves_the_version_before() {
        let mut connection = current_ledger();
        let migrations = [
            MIGRATIONS[0],
            ADD_COLUMN,
            "CREATE TABLE more (x); CREATE TABLE target (x)",
        ];
        migrate(&mut connection, &migrations).expect_err("a table that exists");
        assert_eq!(user_version(&connection), 2);
        connection
            .prepare("SELECT * FROM more")
            .expect_err("rolled back");
    }
}
