//! Ledgers that can't be used, in words.

use std::path::Path;

use super::{Failure, Kind, OTHER};
use crate::ledger::LedgerError;

impl Failure {
    /// A ledger that can't be used.
    pub(crate) fn ledger(path: &Path, error: &LedgerError) -> Self {
        let failure = Self::new(
            Kind::Internal,
            OTHER,
            format!("{} can't be used as the ledger", path.display()),
        )
        .cause(error.to_string());
        match error {
            LedgerError::Foreign => {
                failure.hint("name a file that does not exist yet, or a ledger of this program")
            }
            LedgerError::Damaged | LedgerError::Sqlite(_) => failure
                .hint("if it is damaged, move it away: without it everything is sent once more, which does no harm"),
            LedgerError::Newer(_) => failure.hint("use the version of this program that made it"),
            LedgerError::Held { .. } => {
                failure.hint("wait until the other push has ended; --lock-timeout waits longer")
            }
            LedgerError::Defect | LedgerError::Io(_) => failure,
        }
    }

    /// A ledger that is to be looked into and is not there.
    pub(crate) fn no_ledger(path: &Path) -> Self {
        Self::usage(format!("there is no ledger {}", path.display()))
            .hint("push --ledger FILE makes one")
    }

    /// A target that the ledger does not have; those that it has.
    pub(crate) fn no_target(name: &str, targets: &[String]) -> Self {
        let failure = Self::usage(format!("the ledger has no target {name}"));
        match targets {
            [] => failure.hint("it has none"),
            targets => failure.hint(format!("it has {}", targets.join(", "))),
        }
    }
}
