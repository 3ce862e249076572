//! The origin of an input.

use std::{path::PathBuf, sync::Arc};

/// The source from which an input is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputSource {
    Stdin,
    File(PathBuf),
    /// Bytes that were in memory before the input was opened.
    Memory(Arc<[u8]>),
}

impl InputSource {
    /// Returns the name of the input in messages.
    pub(crate) fn name(&self) -> Arc<str> {
        match self {
            Self::Stdin => "standard input".into(),
            Self::Memory(_) => "memory".into(),
            Self::File(path) => path.to_string_lossy().into(),
        }
    }
}
