//! Failures to use a ledger.

use std::path::Path;

use super::failure::Failure;
use crate::ledger::LedgerError;

/// Returns the failure for a ledger that cannot be opened, read or written.
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

/// Returns the failure of a `ledger` command for a ledger that does not exist.
pub(crate) fn ledger_missing(ledger: &Path) -> Failure {
    Failure::usage_with_hint(
        format!("there is no ledger {}", ledger.display()),
        "push --ledger FILE makes one",
    )
}

/// Returns the failure of `ledger forget --target` for a server that is not in the ledger. `target`
/// is the `:authority` of this server, and `targets` are the `:authority` values in the ledger.
pub(crate) fn ledger_target_unknown(target: &str, targets: &[String]) -> Failure {
    let hint = match targets {
        [] => "it has none".to_owned(),
        targets => format!("it has {}", targets.join(", ")),
    };
    Failure::usage_with_hint(format!("the ledger has no target {target}"), hint)
}
