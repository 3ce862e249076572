//! What a server has acknowledged, in an SQLite file, so that only what is new or changed is sent.
//!
//! Tokens are credentials: a ledger holds a digest of each, never the token.

mod known;
mod lock;
mod runs;
mod schema;
mod segments;
mod view;

use std::{
    fmt,
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::contract::DecodedRecord;

pub(crate) use self::{
    known::{Comparison, KnownTimes},
    runs::{RunEnd, RunStart},
    view::{ForgetOutcome, ForgetSelection, RunSummary, TargetSummary, forget, list_targets},
};
use self::{
    known::{Digester, Row, settle},
    lock::Lock,
};

/// A server is its `:authority` and the call's path, whatever address it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetKey {
    pub(crate) authority: String,
    pub(crate) method: String,
}

/// Why a ledger can't be used.
#[derive(Debug)]
pub(crate) enum LedgerError {
    Io(io::Error),
    Sqlite(rusqlite::Error),
    /// The file is there and is no ledger.
    NotALedger,
    /// The file is from a later version of this program, which has this schema.
    NewerSchema {
        version: i64,
    },
    /// The file is a ledger, and what it holds is broken.
    Corrupt,
    /// A defect of this program ended whoever wrote to it.
    WriterPanicked,
    /// Another push has it, with this process id where that is known.
    Locked {
        pid: Option<u32>,
        waited: Duration,
    },
}

/// A ledger that this process alone writes, for one target.
#[derive(Debug)]
pub(crate) struct LedgerWriter {
    // Closed before the lock is: see `Lock`.
    connection: Connection,
    _lock: Lock,
    digester: Digester,
    target: i64,
    /// The run under way.
    run: Option<i64>,
}

impl LedgerWriter {
    /// Opens or creates a ledger and waits for whoever holds it.
    ///
    /// # Errors
    ///
    /// The file is something else, which is left as it is, or is still held after `patience`, or when
    /// `pause`, which waits so long, says that there is to be no more waiting.
    pub(crate) fn open(
        path: &Path,
        target: &TargetKey,
        patience: Duration,
        pause: &dyn Fn(Duration) -> bool,
    ) -> Result<Self, LedgerError> {
        let (mut connection, lock) = open_locked(path, patience, pause, Missing::Create)?;
        let transaction = immediate(&mut connection)?;
        let digester = Digester::new(&schema::salt(&transaction)?);
        let found = find_target(&transaction, target)?;
        let target = if let Some(target) = found {
            target
        } else {
            transaction.execute(
                "INSERT INTO target (authority, method) VALUES (?1, ?2)",
                params![target.authority, target.method],
            )?;
            transaction.last_insert_rowid()
        };
        transaction.commit()?;
        Ok(Self {
            connection,
            _lock: lock,
            digester,
            target,
            run: None,
        })
    }

    /// What the target has acknowledged so far.
    pub(crate) fn known_times(&self) -> Result<KnownTimes, LedgerError> {
        let rows = segments::load(&self.connection, self.target)?;
        Ok(KnownTimes::new(self.digester.clone(), rows))
    }

    /// Notes that other times than those that are known are about to be sent. From then on it is
    /// not known which the server has, until it acknowledges one.
    pub(crate) fn mark_unconfirmed(&mut self, known: &KnownTimes) -> Result<(), LedgerError> {
        segments::append(&self.connection, self.target, known.doubts())
    }

    /// Takes records that were acknowledged, all or none.
    pub(crate) fn acknowledge<'r>(
        &mut self,
        records: impl Iterator<Item = DecodedRecord<'r>>,
    ) -> Result<(), LedgerError> {
        let mut rows: Vec<Row> = records
            .map(|record| Row {
                digest: self.digester.digest(record.token),
                time: record.expire_time,
                is_sure: true,
            })
            .collect();
        // So that all of them are soon sorted when they are read.
        settle(&mut rows);
        segments::append(&self.connection, self.target, &rows)
    }
}

/// Returns the times that a target has acknowledged, without waiting for a process that writes to
/// the ledger. A ledger that does not exist knows no times.
///
/// # Errors
///
/// The file is not a ledger, or cannot be read.
pub(crate) fn read_known_times(path: &Path, target: &TargetKey) -> Result<KnownTimes, LedgerError> {
    let connection = match open_to_read(path) {
        Err(LedgerError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(KnownTimes::nothing());
        }
        connection => connection?,
    };
    if schema::is_empty(&connection)? {
        return Ok(KnownTimes::nothing());
    }
    let digester = Digester::new(&schema::salt(&connection)?);
    Ok(match find_target(&connection, target)? {
        Some(target) => KnownTimes::new(digester, segments::load(&connection, target)?),
        None => KnownTimes::nothing(),
    })
}

fn find_target(connection: &Connection, target: &TargetKey) -> Result<Option<i64>, LedgerError> {
    Ok(connection
        .query_row(
            "SELECT id FROM target WHERE authority = ?1 AND method = ?2",
            params![target.authority, target.method],
            |row| row.get(0),
        )
        .optional()?)
}

/// What opening does where there is no file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    Fail,
}

/// Opens a ledger to write to it, once nobody else does.
fn open_locked(
    path: &Path,
    patience: Duration,
    pause: &dyn Fn(Duration) -> bool,
    missing: Missing,
) -> Result<(Connection, Lock), LedgerError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(missing == Missing::Create)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(LedgerError::NotALedger);
    }
    schema::check_file(&file)?;
    let started = Instant::now();
    let Some(lock) = Lock::take(file, started + patience, pause)? else {
        return Err(LedgerError::Locked {
            pid: holder(path),
            waited: started.elapsed(),
        });
    };
    // Who waited may find that another made it.
    schema::check_file(lock.file())?;
    let mut connection = schema::connect_to_write(path)?;
    schema::check(&connection)?;
    lock.file().set_permissions(Permissions::from_mode(0o600))?;
    schema::prepare(&mut connection)?;
    connection.execute("UPDATE meta SET holder = ?1", [std::process::id()])?;
    Ok((connection, lock))
}

/// A ledger that is looked into, and whoever would write to it kept out where nobody does yet.
struct Reading {
    // Closed before the lock is.
    connection: Connection,
    _lock: Option<Lock>,
}

impl std::ops::Deref for Reading {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// Opens a ledger to look into it. No file is made for it where none was left over.
fn open_to_read(path: &Path) -> Result<Reading, LedgerError> {
    // Opened, a pipe would wait for somebody to write to it.
    if !fs::metadata(path)?.is_file() {
        return Err(LedgerError::NotALedger);
    }
    let file = File::open(path)?;
    schema::check_file(&file)?;
    let lock = Lock::try_shared(file)?;
    let connection = match &lock {
        Some(_) if !schema::has_log(path) => schema::connect_to_still(path)?,
        _ => schema::connect_to_read(path)?,
    };
    schema::check(&connection)?;
    Ok(Reading {
        connection,
        _lock: lock,
    })
}

/// The process that opened the ledger last, which is the one that holds it if one does.
fn holder(path: &Path) -> Option<u32> {
    let connection = open_to_read(path).ok()?;
    connection
        .query_row("SELECT holder FROM meta", [], |row| row.get(0))
        .ok()
        .flatten()
}

fn immediate(connection: &mut Connection) -> Result<Transaction<'_>, LedgerError> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

impl From<io::Error> for LedgerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::NotALedger,
            _ => Self::Sqlite(error),
        }
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Sqlite(error) => error.fmt(f),
            Self::Corrupt => f.write_str("what it holds is damaged"),
            Self::WriterPanicked => f.write_str("a defect of this program ended its writing"),
            Self::NotALedger => f.write_str("the file holds something else"),
            Self::NewerSchema { version } => write!(
                f,
                "the file is from a later version of this program (its format is {version}, known is {})",
                schema::VERSION
            ),
            Self::Locked {
                pid: Some(pid),
                waited,
            } => write!(
                f,
                "process {pid} holds it still after {:.1} s",
                waited.as_secs_f64()
            ),
            Self::Locked { pid: None, waited } => write!(
                f,
                "another process holds it still after {:.1} s",
                waited.as_secs_f64()
            ),
        }
    }
}

impl std::error::Error for LedgerError {}
