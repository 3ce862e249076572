//! [`Store`]: the records that the receiver has received, reduced to the last expiration time of
//! each token.

use std::{
    collections::HashMap,
    fmt, io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, params};

use crate::{contract::proto::SensorExpire, record::TokenEncoding};

/// A map from tokens to expiration times, in memory or in an SQLite database.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(Mutex<HashMap<Bytes, u32>>),
    Sqlite(Mutex<Connection>),
}

/// The reason why a store cannot be opened, read or written.
#[derive(Debug)]
pub(crate) enum StoreError {
    Sqlite(rusqlite::Error),
    Io(io::Error),
    /// The file is a database of a different program, or is not a database.
    NotAStore,
    /// A later version of this program wrote the file, in the format with this version number.
    NewerFormat(i64),
}

/// The `PRAGMA application_id` in the header of a database that is a store: `SLrs` in ASCII.
const APPLICATION_ID: i64 = 0x534c_7273;

/// The version of the table layout (`PRAGMA user_version`).
const FORMAT_VERSION: i64 = 1;

impl Store {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    /// Opens the store in a file, and creates the file if it does not exist.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // SQLite treats `:memory:` and names that begin with `file:` specially. An absolute path
        // begins with `/`, so SQLite always takes an absolute path as a file name.
        let path = std::path::absolute(path).map_err(StoreError::Io)?;
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        match (pragma("application_id")?, pragma("user_version")?) {
            (APPLICATION_ID, FORMAT_VERSION) => {}
            (APPLICATION_ID, newer) => return Err(StoreError::NewerFormat(newer)),
            (0, 0) if is_empty(&connection)? => {}
            _ => return Err(StoreError::NotAStore),
        }
        // In WAL mode, committed transactions survive a power failure only with `FULL`
        // (https://sqlite.org/pragma.html#pragma_synchronous).
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE IF NOT EXISTS expiration (
                 token BLOB PRIMARY KEY,
                 expire_time INTEGER NOT NULL
             ) STRICT, WITHOUT ROWID;
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {FORMAT_VERSION};
             COMMIT;"
        ))?;
        Ok(Self::Sqlite(Mutex::new(connection)))
    }

    /// Stores all records of a request, or no record if an error occurs.
    pub(super) fn insert(&self, records: Vec<SensorExpire>) -> Result<(), StoreError> {
        match self {
            Self::Memory(map) => {
                let mut map = lock(map);
                for record in records {
                    map.insert(record.device_token, record.expire_time);
                }
            }
            Self::Sqlite(connection) => {
                let mut connection = lock(connection);
                let transaction = connection.transaction()?;
                {
                    let mut insert = transaction.prepare_cached(
                        "INSERT INTO expiration (token, expire_time) VALUES (?1, ?2)
                         ON CONFLICT (token) DO UPDATE SET expire_time = excluded.expire_time",
                    )?;
                    for record in &records {
                        insert
                            .execute(params![record.device_token.as_ref(), record.expire_time])?;
                    }
                }
                transaction.commit()?;
            }
        }
        Ok(())
    }

    /// Returns the number of distinct tokens.
    pub(crate) fn token_count(&self) -> Result<u64, StoreError> {
        match self {
            Self::Memory(map) => Ok(lock(map).len() as u64),
            Self::Sqlite(connection) => {
                let count: i64 =
                    lock(connection)
                        .query_row("SELECT count(*) FROM expiration", [], |row| row.get(0))?;
                Ok(count.unsigned_abs())
            }
        }
    }

    /// Returns the expiration time of a token in Unix seconds, or `None` if the token is unknown.
    pub(crate) fn expire_time_of(&self, token: &[u8]) -> Result<Option<u32>, StoreError> {
        match self {
            Self::Memory(map) => Ok(lock(map).get(token).copied()),
            Self::Sqlite(connection) => {
                let connection = lock(connection);
                let mut select = connection
                    .prepare_cached("SELECT expire_time FROM expiration WHERE token = ?1")?;
                let mut rows = select.query([token])?;
                Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
            }
        }
    }

    /// Writes all records as CSV, sorted by the bytes of the tokens.
    pub(crate) fn write_csv(&self, out: impl io::Write, encoding: TokenEncoding) -> io::Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(["device_token", "expire_time"])?;
        let mut write = |token: &[u8], time: u32| {
            csv.write_record([&*encoding.encode(token), time.to_string().as_bytes()])
        };
        match self {
            Self::Memory(map) => {
                let map = lock(map);
                let mut records: Vec<_> = map.iter().collect();
                records.sort_unstable();
                for (token, time) in records {
                    write(token, *time)?;
                }
            }
            Self::Sqlite(connection) => {
                let connection = lock(connection);
                // SQLite compares blobs byte by byte, so the order is the same as in the CSV output
                // of an in-memory store.
                let mut select = connection
                    .prepare("SELECT token, expire_time FROM expiration ORDER BY token")
                    .map_err(io::Error::other)?;
                let mut rows = select.query([]).map_err(io::Error::other)?;
                while let Some(row) = rows.next().map_err(io::Error::other)? {
                    let token = row.get_ref(0).and_then(|token| Ok(token.as_blob()?));
                    let time = row.get(1).map_err(io::Error::other)?;
                    write(token.map_err(io::Error::other)?, time)?;
                }
            }
        }
        csv.flush()
    }
}

/// Returns whether a database has no tables.
fn is_empty(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    })
}

/// Locks a mutex. If a thread panicked while it held the lock, the panic is ignored, because even
/// an interrupted operation leaves the store consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::NotAStore,
            _ => Self::Sqlite(error),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::NotAStore => f.write_str("the file holds something else"),
            Self::NewerFormat(version) => write!(
                f,
                "the file is from a later version of this program (its format is {version}, known is {FORMAT_VERSION})"
            ),
        }
    }
}

impl std::error::Error for StoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(pairs: &[(&'static [u8], u32)]) -> Vec<SensorExpire> {
        pairs
            .iter()
            .map(|(token, expire_time)| SensorExpire {
                device_token: Bytes::from_static(token),
                expire_time: *expire_time,
            })
            .collect()
    }

    #[test]
    fn keeps_last_time_and_writes_sorted_csv() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store");
        for store in [Store::in_memory(), Store::open(&path).expect("a store")] {
            let first = records(&[(b"b", 1), (b"a,\"", 2), (b"\xff\0", 0)]);
            store.insert(first).expect("stored");
            store.insert(records(&[(b"b", u32::MAX)])).expect("stored");
            assert_eq!(store.token_count().expect("counted"), 3);
            assert_eq!(store.expire_time_of(b"b").expect("found"), Some(u32::MAX));
            assert_eq!(store.expire_time_of(b"c").expect("looked for"), None);
            let mut dump = Vec::new();
            store
                .write_csv(&mut dump, TokenEncoding::Utf8)
                .expect("dumped");
            assert_eq!(
                dump,
                b"device_token,expire_time\n\"a,\"\"\",2\nb,4294967295\n\xff\0,0\n"
            );
        }
        let reopened = Store::open(&path).expect("opened again");
        assert_eq!(reopened.token_count().expect("counted"), 3);
    }

    #[test]
    fn rejects_other_files_without_changing_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = folder.path().join("text");
        let content = b"device_token,expire_time\n".repeat(100);
        std::fs::write(&text, &content).expect("written");
        assert!(matches!(Store::open(&text), Err(StoreError::NotAStore)));
        assert_eq!(std::fs::read(&text).expect("read"), content);

        let other = folder.path().join("other");
        let connection = Connection::open(&other).expect("a database");
        connection
            .execute_batch("CREATE TABLE songs (title TEXT)")
            .expect("a table");
        drop(connection);
        assert!(matches!(Store::open(&other), Err(StoreError::NotAStore)));

        let newer = folder.path().join("newer");
        drop(Store::open(&newer).expect("a store"));
        let connection = Connection::open(&newer).expect("a database");
        connection
            .pragma_update(None, "user_version", 2)
            .expect("set");
        drop(connection);
        assert!(matches!(
            Store::open(&newer),
            Err(StoreError::NewerFormat(2))
        ));
    }
}
