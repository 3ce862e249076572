//! Failures of files, standard output and the receiver's listener.

use std::{fmt, io, path::Path};

use super::{failure::Failure, format::count_noun};

/// The failure to read a file that an option names.
pub(crate) fn file_read_failed(file: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} can't be read", file.display())).with_cause(error.to_string())
}

/// The failure to open or write an output file.
pub(crate) fn file_write_failed(file: &Path, error: &io::Error) -> Failure {
    Failure::internal(format!("{} can't be written", file.display()), error)
}

/// The failure to write standard output.
pub(crate) fn stdout_write_failed(error: &io::Error) -> Failure {
    Failure::internal("standard output can't be written", error)
}

/// The failure of a push that ended because an output could not be written. The failure of that
/// output is reported with this one.
pub(crate) fn push_output_failed(acknowledged: u64) -> Failure {
    Failure::internal(
        "an output can't be written any more, and so no more was sent",
        &format_args!("{} acknowledged", count_noun(acknowledged, "record")),
    )
}

/// The failure to replace the rejects file, because some unacknowledged records cannot be read
/// again.
pub(crate) fn rejects_incomplete(rejects: &Path) -> Failure {
    let rejects = rejects.display();
    Failure::internal_without_cause(format!(
        "{rejects} stays as it was: not all that is unsent could be read again"
    ))
}

/// The failure to use the file of `serve --store`.
pub(crate) fn store_unusable(store: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::internal(
        format!("{} can't be used as the store", store.display()),
        error,
    )
    .with_hint("name a file that does not exist yet, or a store of this program")
}

/// The failure of the receiver to listen on the address of `--listen`.
pub(crate) fn listen_failed(address: &str, error: &io::Error) -> Failure {
    Failure::internal(format!("can't listen on {address}"), error)
        .with_hint("--listen 127.0.0.1:0 takes a free port")
}
