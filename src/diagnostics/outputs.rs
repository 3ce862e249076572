//! Failures to read or write files, to write standard output, and to listen for connections.

use std::{io, path::Path};

use super::{connection::RAISE_FILE_LIMIT, failure::Failure, ledger::HARD_LINK_HINT};
use crate::{
    client::is_file_limit,
    database::DatabaseError,
    user_path::{UserPath, reason_of},
};

pub(crate) fn file_write_failed(file: &Path, error: &io::Error) -> Failure {
    Failure::internal_without_cause(UserPath::from(file).error("write", error).to_string())
}

pub(crate) fn stdout_write_failed(error: &io::Error) -> Failure {
    Failure::internal_without_cause(format!(
        "cannot write standard output: {}",
        reason_of(error)
    ))
}

/// Returns the failure for a part of the program that the system did not let start.
pub(crate) fn start_failed(message: &str, error: &io::Error) -> Failure {
    let failure = Failure::internal(message, error);
    if is_file_limit(error) {
        return failure.with_hint(RAISE_FILE_LIMIT);
    }
    failure
}

pub(crate) fn thread_not_started(error: &io::Error) -> Failure {
    Failure::internal("cannot start a thread", error)
        .with_hint("raise the limit of processes and threads (ulimit -u)")
}

/// Returns the failure for a rejects file that was not replaced, because some unacknowledged
/// records could not be read again and are not in the new file.
pub(crate) fn rejects_incomplete(rejects: &Path) -> Failure {
    let rejects = UserPath::from(rejects);
    Failure::internal_without_cause(format!(
        "cannot replace {rejects}: some unsent records could not be read again"
    ))
}

pub(crate) fn store_unusable(store: &Path, error: &DatabaseError) -> Failure {
    let message = format!("cannot use store {}: {error}", UserPath::from(store));
    let failure = Failure::internal_without_cause(message);
    match error {
        DatabaseError::OtherFormat { .. } => failure
            .with_hint("pass --store FILE with a store, or with a file that does not exist yet"),
        DatabaseError::HardLinked(_) => failure.with_hint(HARD_LINK_HINT),
        _ => failure,
    }
}

pub(crate) fn listen_failed(address: &str, error: &io::Error) -> Failure {
    let message = format!("cannot listen on {address}: {}", reason_of(error));
    let failure = Failure::internal_without_cause(message);
    let is_path = address.starts_with("unix:");
    match error.kind() {
        io::ErrorKind::AddrInUse if is_path => {
            failure.with_hint("pass a path at which no file exists with --listen unix:PATH")
        }
        io::ErrorKind::AddrInUse => {
            failure.with_hint("pass --listen 127.0.0.1:0 to take a free port")
        }
        io::ErrorKind::AddrNotAvailable => {
            failure.with_hint("pass an address of this machine, such as --listen 127.0.0.1:9102")
        }
        io::ErrorKind::PermissionDenied if !is_path => {
            failure.with_hint("pass a port above 1023, such as --listen 127.0.0.1:9102")
        }
        _ => failure,
    }
}
