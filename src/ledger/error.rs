//! [`LedgerError`]: the reason why a ledger cannot be used.

use std::{io, time::Duration};

use rusqlite::ErrorCode;

use crate::{
    database::{self, DatabaseError},
    user_path::{describe_value, reason_of},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{}", database::describe(.0))]
    Sqlite(#[from] rusqlite::Error),
    #[error("{}", reason_of(.0))]
    Io(#[from] io::Error),
    #[error("the file is corrupt")]
    Corrupt,
    #[error("internal error (bug): the thread that writes the ledger panicked")]
    WriterPanicked,
    #[error("still locked by {holder} after {waited:.1?}")]
    Locked { holder: String, waited: Duration },
    #[error("no server with the :authority \"{}\"", describe_value(authority))]
    UnknownTarget {
        authority: String,
        /// The `:authority` values in the ledger.
        known: Vec<String>,
    },
}

impl LedgerError {
    pub(crate) fn is_locked(&self) -> bool {
        match self {
            Self::Locked { .. } => true,
            Self::Database(error) => error.is_locked(),
            Self::Sqlite(error) => database::is_locked(error),
            _ => false,
        }
    }

    /// Returns whether the content of the file is the cause of the error.
    pub(crate) fn is_corrupt(&self) -> bool {
        match self {
            Self::Corrupt => true,
            Self::Sqlite(error) | Self::Database(DatabaseError::Sqlite(error)) => matches!(
                error.sqlite_error_code(),
                None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
            _ => false,
        }
    }
}
