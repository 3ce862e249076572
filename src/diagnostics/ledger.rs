//! Failures to use a ledger.

use std::{path::Path, time::Duration};

use super::failure::Failure;
use crate::{database::DatabaseError, ledger::LedgerError, user_path::UserPath};

/// The value of `--lock-timeout` in a hint, which a run that has waited longer does not get.
const LONG_LOCK_TIMEOUT: Duration = Duration::from_secs(5 * 60);

pub(super) const HARD_LINK_HINT: &str = "remove the other links, or make them symbolic links";

pub(crate) fn describe_new_address(name: &str, last: &str, address: &str) -> String {
    format!("\"{name}\" now has the address \"{address}\", but the last push used \"{last}\"")
}

/// Returns the failure of a command for which the ledger must exist.
pub(crate) fn existing_ledger_unusable(ledger: &Path, error: &LedgerError) -> Failure {
    let failure = ledger_unusable(ledger, error);
    match error {
        LedgerError::Database(DatabaseError::OtherFormat { .. }) => {
            failure.with_hint("pass --ledger FILE with a ledger")
        }
        _ => failure,
    }
}

pub(crate) fn ledger_unusable(ledger: &Path, error: &LedgerError) -> Failure {
    let message = format!("cannot use ledger {}: {error}", UserPath::from(ledger));
    let failure = match error {
        LedgerError::Database(DatabaseError::Missing) | LedgerError::UnknownTarget { .. } => {
            Failure::usage(message)
        }
        _ => Failure::internal_without_cause(message),
    };
    match error {
        LedgerError::Database(DatabaseError::OtherFormat { .. }) => failure
            .with_hint("pass --ledger FILE with a ledger, or with a file that does not exist yet"),
        LedgerError::Database(DatabaseError::HardLinked(_)) => failure.with_hint(HARD_LINK_HINT),
        LedgerError::Database(DatabaseError::NewerVersion { .. }) => {
            failure.with_hint("update sensor-license")
        }
        error if error.is_corrupt() => {
            failure.with_hint("move the file away; the next push then sends every record once more")
        }
        LedgerError::Locked { waited, .. } if *waited < LONG_LOCK_TIMEOUT => {
            failure.with_hint("wait until the other process ends, or pass --lock-timeout 5m")
        }
        error if error.is_locked() => {
            failure.with_hint("wait until the other program ends, and run the command again")
        }
        LedgerError::UnknownTarget { known, .. } if !known.is_empty() => failure.with_hint(
            format!("pass one of these to --target: {}", known.join(", ")),
        ),
        _ => failure,
    }
}
