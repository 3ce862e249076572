//! The SQLite files of this program: the ledger, and the store of the receiver.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use rustix::process::{Resource, getrlimit};

use crate::{atomic_file::OWNER_ONLY_MODE, user_path::reason_of};

/// The maximum time to wait for a lock of SQLite, where no option sets another one.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Enabling and disabling the write-ahead log, and setting the application ID, change only the file
/// header, in one write. With a journal file, a process that is killed here would leave a journal
/// that a reader cannot roll back.
const SWITCHING_MODE: &str = "MEMORY";

pub(crate) struct DatabaseFormat {
    pub(crate) name: &'static str,
    /// The `PRAGMA application_id`, which tells the file apart from files of other programs.
    pub(crate) application_id: i32,
    /// Each migration leads from one `PRAGMA user_version` to the next. A released migration must
    /// never change.
    pub(crate) migrations: &'static [&'static str],
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("the file does not exist")]
    Missing,
    /// SQLite names the write-ahead log after the database, so two names have two logs.
    #[error("the file has {0} hard links")]
    HardLinked(u64),
    #[error("the file is not a {name}")]
    OtherFormat { name: &'static str },
    #[error(
        "a newer version of sensor-license wrote the file (format {version}, supported {supported})"
    )]
    NewerVersion { version: i32, supported: i32 },
    #[error("{}", reason_of(.0))]
    Io(#[from] io::Error),
    #[error("{}", describe(.0))]
    Sqlite(#[from] rusqlite::Error),
}

impl DatabaseError {
    /// Returns whether another process holds a lock of SQLite.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_locked(error))
    }
}

pub(crate) fn describe(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => "locked by another program".to_owned(),
        // SQLite does not tell a file that is too large from a disk that fails.
        Some(ErrorCode::SystemIoFailure) if getrlimit(Resource::Fsize).current.is_some() => {
            "disk I/O error; the limit of \"ulimit -f\" may be the cause".to_owned()
        }
        _ => error.to_string(),
    }
}

pub(crate) fn is_locked(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

pub(crate) fn create_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(OWNER_ONLY_MODE).open(path).map(drop)
}

impl DatabaseFormat {
    /// An empty file becomes a database of this format.
    /// Waits at most `busy_timeout` for each lock of SQLite.
    pub(crate) fn open_to_write(
        &self,
        path: &Path,
        busy_timeout: Duration,
    ) -> Result<Connection, DatabaseError> {
        self.check_file(path)?;
        let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, busy_timeout)?;
        fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY_MODE))?;
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        if mode != "wal" {
            connection.pragma_update(None, "journal_mode", SWITCHING_MODE)?;
            // `check_file` reads only the database itself and not its write-ahead log.
            if pragma(&connection, "application_id")? == 0 {
                connection.pragma_update(None, "application_id", self.application_id)?;
            }
            connection.pragma_update(None, "journal_mode", "WAL")?;
        }
        self.migrate(&mut connection)?;
        Ok(connection)
    }

    /// Opens a file for reading. Returns `None` if it is empty.
    pub(crate) fn open_to_read(&self, path: &Path) -> Result<Option<Connection>, DatabaseError> {
        self.check_file(path)?;
        let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, BUSY_TIMEOUT)?;
        Ok((self.version(&connection)? > 0).then_some(connection))
    }

    /// Checks that a file is empty or of this format, without SQLite, which would change the files
    /// of another program (<https://sqlite.org/fileformat.html#the_database_header>).
    pub(crate) fn check_file(&self, path: &Path) -> Result<(), DatabaseError> {
        const MAGIC: &[u8] = b"SQLite format 3\0";
        const HEADER_BYTES: u64 = 100;
        const USER_VERSION_OFFSET: usize = 60;
        const APPLICATION_ID_OFFSET: usize = 68;
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DatabaseError::Missing,
            _ => error.into(),
        })?;
        if metadata.is_file() && metadata.nlink() > 1 {
            return Err(DatabaseError::HardLinked(metadata.nlink()));
        }
        let mut header = Vec::new();
        // Opening a FIFO would wait for a writer.
        if metadata.is_file() {
            File::open(path)?
                .take(HEADER_BYTES)
                .read_to_end(&mut header)?;
            if header.is_empty() {
                return Ok(());
            }
        }
        let number = |offset: usize| {
            let bytes = header.get(offset..offset + 4)?.try_into().ok()?;
            Some(i32::from_be_bytes(bytes))
        };
        match (number(APPLICATION_ID_OFFSET), number(USER_VERSION_OFFSET)) {
            (Some(application_id), Some(version)) if header.starts_with(MAGIC) => {
                self.check(application_id, version)
            }
            _ => Err(DatabaseError::OtherFormat { name: self.name }),
        }
    }

    /// Returns the number of migrations that were applied, which is 0 for an empty database. Unlike
    /// [`Self::check_file`], this also reads the write-ahead log.
    fn version(&self, connection: &Connection) -> Result<i32, DatabaseError> {
        let version = pragma(connection, "user_version")?;
        if version > 0 {
            self.check(pragma(connection, "application_id")?, version)?;
        } else if has_tables(connection)? {
            return Err(DatabaseError::OtherFormat { name: self.name });
        }
        Ok(version)
    }

    fn check(&self, application_id: i32, version: i32) -> Result<(), DatabaseError> {
        let supported = i32::try_from(self.migrations.len()).unwrap_or(i32::MAX);
        if application_id != self.application_id {
            Err(DatabaseError::OtherFormat { name: self.name })
        } else if version > supported {
            Err(DatabaseError::NewerVersion { version, supported })
        } else {
            Ok(())
        }
    }

    fn migrate(&self, connection: &mut Connection) -> Result<(), DatabaseError> {
        loop {
            let transaction = connection.transaction()?;
            let version = self.version(&transaction)?;
            let index = usize::try_from(version).unwrap_or_default();
            let Some(migration) = self.migrations.get(index) else {
                return Ok(());
            };
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", version + 1)?;
            transaction.commit()?;
        }
    }
}

/// Leaves no write-ahead log, so that the file can be read without creating files beside it.
pub(crate) fn close(connection: &Connection) {
    // This fails while another process reads the database. The next writer then removes the log.
    let _ = connection.busy_timeout(Duration::ZERO);
    let _ = connection.pragma_update(None, "journal_mode", SWITCHING_MODE);
}

fn open(
    path: &Path,
    access: OpenFlags,
    busy_timeout: Duration,
) -> Result<Connection, DatabaseError> {
    // SQLite treats `:memory:` and names that begin with `file:` specially, but no absolute path.
    let path = std::path::absolute(path)?;
    let mut connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(busy_timeout)?;
    // A transaction that reads first and takes the write lock later could fail because of a
    // concurrent writer.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    Ok(connection)
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, DatabaseError> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

fn has_tables(connection: &Connection) -> Result<bool, DatabaseError> {
    let count: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = "CREATE TABLE target (name TEXT)";
    const ADD_COLUMN: &str = "ALTER TABLE target ADD COLUMN note TEXT";

    const fn format(migrations: &'static [&'static str]) -> DatabaseFormat {
        DatabaseFormat {
            name: "test",
            application_id: 1,
            migrations,
        }
    }

    fn empty_database() -> Connection {
        let connection = Connection::open_in_memory().expect("a database");
        let set = connection.pragma_update(None, "application_id", format(&[]).application_id);
        set.expect("an application ID");
        connection
    }

    fn user_version(connection: &Connection) -> i32 {
        pragma(connection, "user_version").expect("a number")
    }

    #[test]
    fn migrations_keep_rows_and_run_once() {
        const OLD: DatabaseFormat = format(&[CREATE]);
        const NEW: DatabaseFormat = format(&[CREATE, ADD_COLUMN]);
        let mut connection = empty_database();
        OLD.migrate(&mut connection).expect("created");
        assert_eq!(user_version(&connection), 1);
        connection
            .execute("INSERT INTO target (name) VALUES ('a')", [])
            .expect("a row");
        NEW.migrate(&mut connection).expect("migrated");
        NEW.migrate(&mut connection).expect("nothing left to do");
        assert_eq!(user_version(&connection), 2);
        let select = "SELECT note FROM target WHERE name = 'a'";
        let note: Option<String> = connection
            .query_row(select, [], |row| row.get(0))
            .expect("the row");
        assert_eq!(note, None);
        assert_eq!(NEW.version(&connection).expect("the format"), 2);
        assert!(matches!(
            OLD.version(&connection),
            Err(DatabaseError::NewerVersion { version: 2, .. })
        ));
    }

    #[test]
    fn failed_migration_leaves_the_version_before() {
        const FAILING: DatabaseFormat = format(&[
            CREATE,
            ADD_COLUMN,
            "CREATE TABLE more (x); CREATE TABLE target (x)",
        ]);
        let mut connection = empty_database();
        FAILING
            .migrate(&mut connection)
            .expect_err("a table that exists");
        assert_eq!(user_version(&connection), 2);
        connection
            .prepare("SELECT * FROM more")
            .expect_err("rolled back");
    }
}
