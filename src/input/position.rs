//! Positions in the input.

use std::{
    fmt::{self, Display},
    sync::Arc,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Counted from 1 without the header row. 0 is outside of all records.
    pub(crate) record: u64,
    /// The physical line, counted from 1.
    pub(crate) line: u64,
    /// In JSON, the byte in the line, counted from 1.
    pub(crate) column: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub(crate) position: Position,
    pub(crate) value: T,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputLabel {
    pub(super) index: usize,
    pub(crate) name: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePosition {
    pub(crate) input: InputLabel,
    pub(crate) position: Position,
}

pub(crate) struct RecordLocation<'a> {
    pub(super) input: &'a InputLabel,
    pub(super) position: Position,
    /// The number among the valid records of all inputs, including skipped ones, from 0.
    pub(super) index: usize,
}

impl RecordLocation<'_> {
    pub(crate) fn to_file_position(&self) -> FilePosition {
        FilePosition {
            input: self.input.clone(),
            position: self.position,
        }
    }
}

/// Formats `LINE[:COLUMN]`.
impl Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line)?;
        match self.column {
            Some(column) => write!(f, ":{column}"),
            None => Ok(()),
        }
    }
}

impl Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.input.name, self.position)
    }
}
