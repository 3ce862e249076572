//! Failures of ledgers.

use std::path::Path;

use super::failure::Failure;
use crate::ledger::LedgerError;

/// The failure to open, read or write a ledger.
pub(crate) fn ledger_unusable(ledger: &Path, error: &LedgerError) -> Failure {
    let failure = Failure::internal(
        format!("{} can't be used as the ledger", ledger.display()),
        error,
    );
    match error {
        LedgerError::NotALedger => failure
            .with_hint("name a file that does not exist yet, or a ledger of this program"),
        LedgerError::Corrupt | LedgerError::Sqlite(_) => failure
            .with_hint("if it is damaged, move it away: without it everything is sent once more, which does no harm"),
        LedgerError::NewerSchema { .. } => failure.with_hint("use the version of this program that made it"),
        LedgerError::Locked { .. } => failure
            .with_hint("wait until the other push has ended; --lock-timeout waits longer"),
        LedgerError::WriterPanicked | LedgerError::Io(_) => failure,
    }
}

/// The failure of a `ledger` command whose ledger does not exist.
pub(crate) fn ledger_missing(ledger: &Path) -> Failure {
    Failure::usage_with_hint(
        format!("there is no ledger {}", ledger.display()),
        "push --ledger FILE makes one",
    )
}

/// The failure of a `ledger` command whose target is not in the ledger, which contains `targets`.
pub(crate) fn ledger_target_unknown(target: &str, targets: &[String]) -> Failure {
    let hint = match targets {
        [] => "it has none".to_owned(),
        targets => format!("it has {}", targets.join(", ")),
    };
    Failure::usage_with_hint(format!("the ledger has no target {target}"), hint)
}
