//! Failures to read or write files, to write standard output, and to listen for connections.

use std::{fmt, io, path::Path};

use super::{failure::Failure, format::count_noun};

/// Returns the failure for a file that an option names and that cannot be read.
pub(crate) fn file_read_failed(file: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} can't be read", file.display())).with_cause(error.to_string())
}

/// Returns the failure for an output file that cannot be opened or written.
pub(crate) fn file_write_failed(file: &Path, error: &io::Error) -> Failure {
    Failure::internal(format!("{} can't be written", file.display()), error)
}

/// Returns the failure for standard output that cannot be written.
pub(crate) fn stdout_write_failed(error: &io::Error) -> Failure {
    Failure::internal("standard output can't be written", error)
}

/// Returns the failure for a push that stopped because an output could not be written. This failure
/// does not name the output. The caller adds this failure, as a cause, to a failure that does.
pub(crate) fn push_output_failed(acknowledged: u64) -> Failure {
    Failure::internal(
        "an output can't be written any more, and so no more was sent",
        &format_args!("{} acknowledged", count_noun(acknowledged, "record")),
    )
}

/// Returns the failure for a rejects file that was not replaced, because some unacknowledged
/// records could not be read again and are not in the new file.
pub(crate) fn rejects_incomplete(rejects: &Path) -> Failure {
    let rejects = rejects.display();
    Failure::internal_without_cause(format!(
        "{rejects} stays as it was: not all that is unsent could be read again"
    ))
}

/// Returns the failure for a file of `serve --store` that cannot be used.
pub(crate) fn store_unusable(store: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::internal(
        format!("{} can't be used as the store", store.display()),
        error,
    )
    .with_hint("name a file that does not exist yet, or a store of this program")
}

/// Returns the failure for an address of `--listen` on which the receiver cannot listen.
pub(crate) fn listen_failed(address: &str, error: &io::Error) -> Failure {
    Failure::internal(format!("can't listen on {address}"), error)
        .with_hint("--listen 127.0.0.1:0 takes a free port")
}
