//! What the receiver holds: the last time that each token was given.

use std::{
    collections::HashMap,
    fmt, io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, params};

use crate::{contract::proto::SensorExpire, record::TokenEncoding};

/// Where the records are kept.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(Mutex<HashMap<Bytes, u32>>),
    Sqlite(Mutex<Connection>),
}

/// Why a store can't be used.
#[derive(Debug)]
pub(crate) enum StoreError {
    Sqlite(rusqlite::Error),
    Io(io::Error),
    /// The file is a database of something else.
    Foreign,
    /// The file is from a later version of this program.
    Newer(i64),
}

/// Says in a database's header whose it is (`PRAGMA application_id`): `SLrs`.
const APPLICATION_ID: i64 = 0x534c_7273;
const VERSION: i64 = 1;

impl Store {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    /// Opens or creates a store in a file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // To SQLite `:memory:` and `file:` have a meaning that no absolute path has.
        let path = std::path::absolute(path).map_err(StoreError::Io)?;
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        match (pragma("application_id")?, pragma("user_version")?) {
            (APPLICATION_ID, VERSION) => {}
            (APPLICATION_ID, newer) => return Err(StoreError::Newer(newer)),
            (0, 0) if is_empty(&connection)? => {}
            _ => return Err(StoreError::Foreign),
        }
        // With the write-ahead log synchronous, what is committed survives a crash of the machine
        // too (https://sqlite.org/pragma.html#pragma_synchronous).
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE IF NOT EXISTS expiration (
                 token BLOB PRIMARY KEY,
                 expire_time INTEGER NOT NULL
             ) STRICT, WITHOUT ROWID;
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {VERSION};
             COMMIT;"
        ))?;
        Ok(Self::Sqlite(Mutex::new(connection)))
    }

    /// Stores the records of one request, all or none.
    pub(super) fn apply(&self, records: Vec<SensorExpire>) -> Result<(), StoreError> {
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

    /// The number of different tokens.
    pub(crate) fn len(&self) -> Result<u64, StoreError> {
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

    /// The time of a token.
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

    /// Writes everything as CSV, sorted by the tokens' bytes.
    pub(crate) fn dump(&self, out: impl io::Write, encoding: TokenEncoding) -> io::Result<()> {
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
                // The primary key of a table without row ids is its order, byte by byte.
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

/// Whether a database has nothing in it yet.
fn is_empty(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    })
}

/// A panic while the lock was held left a whole request in or out, never a broken map.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::Foreign,
            _ => Self::Sqlite(error),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Foreign => f.write_str("the file holds something else"),
            Self::Newer(version) => write!(
                f,
                "the file is from a later version of this program (its format is {version}, known is {VERSION})"
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
    fn both_stores_hold_the_last_time_and_dump_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store");
        for store in [Store::in_memory(), Store::open(&path).expect("a store")] {
            let first = records(&[(b"b", 1), (b"a,\"", 2), (b"\xff\0", 0)]);
            store.apply(first).expect("stored");
            store.apply(records(&[(b"b", u32::MAX)])).expect("stored");
            assert_eq!(store.len().expect("counted"), 3);
            assert_eq!(store.expire_time_of(b"b").expect("found"), Some(u32::MAX));
            assert_eq!(store.expire_time_of(b"c").expect("looked for"), None);
            let mut dump = Vec::new();
            store.dump(&mut dump, TokenEncoding::Utf8).expect("dumped");
            assert_eq!(
                dump,
                b"device_token,expire_time\n\"a,\"\"\",2\nb,4294967295\n\xff\0,0\n"
            );
        }
        let again = Store::open(&path).expect("opened again");
        assert_eq!(again.len().expect("counted"), 3);
    }

    #[test]
    fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = folder.path().join("text");
        let content = b"device_token,expire_time\n".repeat(100);
        std::fs::write(&text, &content).expect("written");
        assert!(matches!(Store::open(&text), Err(StoreError::Foreign)));
        assert_eq!(std::fs::read(&text).expect("read"), content);

        let other = folder.path().join("other");
        let connection = Connection::open(&other).expect("a database");
        connection
            .execute_batch("CREATE TABLE songs (title TEXT)")
            .expect("a table");
        drop(connection);
        assert!(matches!(Store::open(&other), Err(StoreError::Foreign)));

        let newer = folder.path().join("newer");
        drop(Store::open(&newer).expect("a store"));
        let connection = Connection::open(&newer).expect("a database");
        connection
            .pragma_update(None, "user_version", 2)
            .expect("set");
        drop(connection);
        assert!(matches!(Store::open(&newer), Err(StoreError::Newer(2))));
    }
}
