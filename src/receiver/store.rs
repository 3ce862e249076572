//! [`Store`]: the records that the receiver has received, reduced to the last expiration time of
//! each token.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    contract::proto::SensorExpire,
    database::{self, DatabaseError, DatabaseFormat},
    record::TokenEncoding,
};

/// A map from tokens to expiration times, in memory or in an SQLite database.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(Mutex<HashMap<Bytes, u32>>),
    Sqlite(Mutex<Connection>),
}

const FORMAT: DatabaseFormat = DatabaseFormat {
    name: "store",
    // `SLrs` in ASCII.
    application_id: 0x534c_7273,
    migrations: &["
        CREATE TABLE expiration (
            token BLOB PRIMARY KEY,
            expire_time INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
    "],
};

impl Store {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    pub(crate) fn open(path: &Path) -> Result<Self, DatabaseError> {
        database::create_file(path)?;
        let connection = FORMAT.open_to_write(path, database::BUSY_TIMEOUT)?;
        // In WAL mode, committed transactions survive a power failure only with `FULL`
        // (https://sqlite.org/pragma.html#pragma_synchronous).
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self::Sqlite(Mutex::new(connection)))
    }

    /// Stores all records of a request, or no record if an error occurs.
    pub(super) fn insert(&self, records: Vec<SensorExpire>) -> rusqlite::Result<()> {
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

    pub(crate) fn token_count(&self) -> rusqlite::Result<u64> {
        match self {
            Self::Memory(map) => Ok(lock(map).len() as u64),
            Self::Sqlite(connection) => {
                let count = "SELECT count(*) FROM expiration";
                lock(connection).query_row(count, [], |row| row.get(0))
            }
        }
    }

    pub(crate) fn expire_time_of(&self, token: &[u8]) -> rusqlite::Result<Option<u32>> {
        match self {
            Self::Memory(map) => Ok(lock(map).get(token).copied()),
            Self::Sqlite(connection) => {
                let connection = lock(connection);
                let mut select = connection
                    .prepare_cached("SELECT expire_time FROM expiration WHERE token = ?1")?;
                select.query_row([token], |row| row.get(0)).optional()
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
                // SQLite compares blobs byte by byte, so the order is the same as in memory.
                let mut select = connection
                    .prepare("SELECT token, expire_time FROM expiration ORDER BY token")
                    .map_err(io::Error::other)?;
                let rows = select.query_map([], |row| {
                    let token: Vec<u8> = row.get(0)?;
                    Ok((token, row.get(1)?))
                });
                for row in rows.map_err(io::Error::other)? {
                    let (token, time) = row.map_err(io::Error::other)?;
                    write(&token, time)?;
                }
            }
        }
        csv.flush()
    }
}

/// Locks a mutex. If a thread panicked while it held the lock, the panic is ignored, because even
/// an interrupted operation leaves the store consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        assert!(matches!(
            Store::open(&text),
            Err(DatabaseError::OtherFormat { .. })
        ));
        assert_eq!(std::fs::read(&text).expect("read"), content);

        let other = folder.path().join("other");
        let connection = Connection::open(&other).expect("a database");
        connection
            .execute_batch("CREATE TABLE songs (title TEXT)")
            .expect("a table");
        drop(connection);
        assert!(matches!(
            Store::open(&other),
            Err(DatabaseError::OtherFormat { .. })
        ));

        let newer = folder.path().join("newer");
        drop(Store::open(&newer).expect("a store"));
        let connection = Connection::open(&newer).expect("a database");
        connection
            .pragma_update(None, "user_version", 2)
            .expect("set");
        drop(connection);
        assert!(matches!(
            Store::open(&newer),
            Err(DatabaseError::NewerVersion { version: 2, .. })
        ));
    }
}
