//! Errors that the streams of an input add to those of the operating system.

use std::{fmt, io};

/// A reason of this program for ending a stream, carried inside an [`io::Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::input) enum StreamError {
    /// The file differs from its first complete reading.
    FileChanged,
    /// The deadline or the stop signal of [`super::ReadLimits`] came before the end.
    DeadlineExceeded,
    /// The compressed data is corrupt or truncated, in the words of the decoder.
    CorruptArchive(String),
}

impl StreamError {
    /// Returns the stream error inside `error`, if there is one.
    pub(in crate::input) fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileChanged => f.write_str("the input changed while it was read"),
            Self::DeadlineExceeded => f.write_str("the input was not read to its end in time"),
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
