//! Stream errors that this program adds to the errors of the operating system.

use std::io;

/// A reason why this program ends a stream early. An [`io::Error`] carries the reason.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamError {
    /// The content of the file differs from an earlier pass over the file.
    #[error("input changed while it was being read")]
    FileChanged,
    #[error("--max-time passed while the input was being read")]
    DeadlinePassed,
    #[error("interrupted by a signal while the input was being read")]
    Interrupted,
    /// The compressed data is corrupt or truncated. The string is the decoder's message.
    #[error("archive is corrupt or truncated: {0}")]
    CorruptArchive(String),
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        Self::other(error)
    }
}
