//! Stream errors that this program adds to the errors of the operating system.

use std::io;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamError {
    #[error("input changed while it was being read")]
    FileChanged,
    #[error("--max-time passed before the end of the file")]
    DeadlinePassed,
    #[error("interrupted by a signal while the input was being read")]
    Interrupted,
    #[error("archive is corrupt or truncated: {0}")]
    CorruptArchive(String),
    #[error("zstd archive needs a window of more than 128 MiB")]
    ArchiveWindowTooLarge,
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        Self::other(error)
    }
}
