//! Stream errors that this program adds to the errors of the operating system.

use std::{fmt, io};

/// A reason why this program ends a stream early. An [`io::Error`] carries the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::input) enum StreamError {
    /// The content of the file differs from an earlier pass over the file.
    FileChanged,
    /// The deadline passed, or the stop signal of [`super::ReadLimits`] arrived, before the end of
    /// the stream.
    ReadStopped,
    /// The compressed data is corrupt or truncated. The string is the decoder's message.
    CorruptArchive(String),
}

impl StreamError {
    /// Returns the stream error that `error` carries, or `None` if `error` has a different cause.
    pub(in crate::input) fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileChanged => f.write_str("the input changed while it was read"),
            Self::ReadStopped => f.write_str("the input was not read to its end in time"),
            Self::CorruptArchive(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for StreamError {}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        Self::other(error)
    }
}
