//! Positions in the input.

use std::{
    fmt::{self, Display},
    sync::Arc,
};

/// The position of a record, or of a problem, in one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of the record, counted from 1 without the header row. The number is 0 for a
    /// position outside of all records.
    pub(crate) record: u64,
    /// The number of the physical line, counted from 1.
    pub(crate) line: u64,
    /// In JSON, the number of the byte in the line, counted from 1. `None` in CSV.
    pub(crate) column: Option<u64>,
}

/// The numbers of records and lines before a part of an input that is read separately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PositionOffset {
    pub(super) records: u64,
    pub(super) lines: u64,
}

/// A value with its position.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub(crate) position: Position,
    pub(crate) value: T,
}

/// The position of a record, with the input that contains the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePosition {
    /// The name of the input.
    pub(crate) file: Arc<str>,
    pub(crate) position: Position,
}

impl Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.record > 0 {
            write!(f, "record {}, ", self.record)?;
        }
        write!(f, "line {}", self.line)?;
        match self.column {
            Some(column) => write!(f, ", column {column}"),
            None => Ok(()),
        }
    }
}

impl Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.position)
    }
}
