//! [`LedgerError`]: the reason why a ledger cannot be used.

use std::{fmt, io, time::Duration};

/// The reason why a ledger cannot be used.
#[derive(Debug)]
pub(crate) enum LedgerError {
    Io(io::Error),
    Sqlite(rusqlite::Error),
    /// The file exists but is not a ledger.
    NotALedger,
    /// A later version of this program wrote the file, with a schema that this version does not
    /// know.
    NewerSchema {
        version: i64,
        supported: i64,
    },
    /// The file is a ledger, but its content is corrupt.
    Corrupt,
    /// The thread that wrote to the ledger panicked, which is a bug in this program.
    WriterPanicked,
    /// A different process still held the lock of the ledger when the time to wait was over.
    Locked {
        /// The id of the process that holds the lock, or `None` if the id is unknown.
        pid: Option<u32>,
        waited: Duration,
    },
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
            Self::NewerSchema { version, supported } => write!(
                f,
                "the file is from a later version of this program (its format is {version}, known is {supported})",
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
