//! Errors in the input: their positions and their kinds.
//!
//! They carry data only; `diagnostics` words them.

use std::{io, sync::Arc};

use super::{bytes::StreamError, excerpt::Excerpt};
use crate::record::{ExpireTime, TimeError, TokenError};

/// The position of a record in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of the record, from 1. A header row is not counted; 0 is before the first record.
    pub(crate) record: u64,
    /// The number of the physical line, from 1.
    pub(crate) line: u64,
    /// In JSON, the byte in the line, from 1.
    pub(crate) column: Option<u64>,
}

/// The records and lines before a part of an input that was read on its own.
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

/// The position of a record among all inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePosition {
    /// The name of the input.
    pub(crate) file: Arc<str>,
    pub(crate) position: Position,
}

/// An error in one of the inputs.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The name of the input.
    pub(crate) file: Arc<str>,
    /// `None` if the problem concerns the whole input.
    pub(crate) position: Option<Position>,
    pub(crate) kind: ProblemKind,
}

impl Problem {
    /// Returns the problem of a part of an input with its position in the whole input.
    pub(super) fn shifted(mut self, offset: PositionOffset) -> Self {
        if let Some(position) = &mut self.position {
            position.record += offset.records;
            position.line += offset.lines;
        }
        self
    }
}

/// An error in the input that is being read, whose name the reader does not know.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) position: Option<Position>,
    /// Boxed, so that a `Result` of a record, which is seldom an error, stays small.
    pub(super) kind: Box<ProblemKind>,
    /// Whether the error ends the reading, and does not count as an invalid record.
    pub(super) is_fatal: bool,
}

impl ReadError {
    pub(super) fn fatal(position: Option<Position>, kind: ProblemKind) -> Self {
        Self {
            position,
            kind: Box::new(kind),
            is_fatal: true,
        }
    }

    pub(super) fn in_record(position: Position, kind: ProblemKind) -> Self {
        Self {
            position: Some(position),
            kind: Box::new(kind),
            is_fatal: false,
        }
    }

    pub(super) fn into_problem(self, file: &Arc<str>) -> Problem {
        Problem {
            file: Arc::clone(file),
            position: self.position,
            kind: *self.kind,
        }
    }
}

/// The kind of a problem. The first group concerns a whole input, the second group one record. Each
/// `name` is the column or key of the field, as messages call it.
#[derive(Debug)]
pub(crate) enum ProblemKind {
    Unreadable(io::Error),
    IsDirectory,
    UnsupportedFormat(UnsupportedFormat),
    /// The file is not the one that was validated.
    FileChanged,
    /// The deadline passed, or a signal came, before the input had been read to its end.
    DeadlineExceeded,
    /// Malformed JSON, with the message of the parser, which does not quote the input.
    JsonSyntax(String),
    /// A corrupt archive, with the message of the decompressor.
    CorruptArchive(String),
    /// `--records` was given for an input that is not one JSON document.
    NotJsonDocument,
    /// The input ends inside a value or a quoted cell.
    Truncated,
    /// A record is longer than [`super::MAX_RECORD_BYTES`].
    RecordTooLong,
    /// The array of records is another kind of value.
    NotArray {
        found: JsonKind,
    },
    /// None of the members of a JSON object is an array, or several are.
    NoSingleArray {
        keys: Vec<Excerpt>,
        arrays: usize,
    },
    /// The document has no value at the pointer of `--records`.
    PointerNotFound,
    /// A request message in protobuf's JSON mapping has no array of records.
    MissingRequestArray,
    /// One column or key was given for both fields.
    SameNameForBothFields(Excerpt),
    /// Another JSON document follows the first one.
    MultipleDocuments,
    /// No column or key has a name of the field.
    MissingField {
        field: Field,
        wanted: Vec<String>,
        found: Vec<Excerpt>,
        /// The name that was probably meant.
        nearest: Option<Excerpt>,
    },
    /// The first row looks like a record.
    MissingHeader,
    /// The number of a column is 0, or larger than the number of columns.
    ColumnOutOfRange {
        field: Field,
        number: usize,
        width: usize,
    },
    /// Two columns or keys have names of the same field.
    AmbiguousField {
        first: String,
        second: String,
    },

    /// A row has another number of columns than the first row.
    WrongColumnCount {
        expected: usize,
        found: usize,
    },
    /// A carriage return outside of quotes that no line feed follows.
    LoneCarriageReturn,
    /// A quote inside an unquoted cell, or text after a closing quote.
    BareQuote,
    NulByte,
    NotUtf8 {
        name: String,
    },
    /// A record is a JSON value other than an object.
    NotObject {
        found: JsonKind,
    },
    /// The value of a field is of a kind that the field cannot have.
    WrongType {
        field: Field,
        name: String,
        found: JsonKind,
    },
    DuplicateKey(Excerpt),
    InvalidToken {
        name: String,
        error: TokenError,
        value: Excerpt,
    },
    InvalidTime {
        name: String,
        error: TimeError,
        value: Excerpt,
    },
    /// An earlier record has the same token with another expiration time.
    ConflictingDuplicate {
        /// The token, masked.
        token: String,
        first: FilePosition,
    },
    /// The license has expired, and `--refuse-past` was given.
    ExpireTimePassed(ExpireTime),
    ContractViolation(ContractViolation),
}

impl From<io::Error> for ProblemKind {
    fn from(error: io::Error) -> Self {
        match StreamError::inside(&error) {
            Some(StreamError::FileChanged) => Self::FileChanged,
            Some(StreamError::DeadlineExceeded) => Self::DeadlineExceeded,
            Some(StreamError::CorruptArchive(reason)) => Self::CorruptArchive(reason.clone()),
            None if error.kind() == io::ErrorKind::IsADirectory => Self::IsDirectory,
            None => Self::Unreadable(error),
        }
    }
}

/// One of the two fields of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Token,
    Time,
}

/// A kind of JSON value (RFC 8259).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonKind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// A format that is recognized but not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnsupportedFormat {
    Utf16,
    /// A zip archive, such as an XLSX or ODS file.
    Zip,
    /// A spreadsheet in the old binary format.
    Xls,
    Pdf,
    /// An archive that is not gzip or zstd: xz, bzip2, 7z.
    OtherArchive,
    Binary,
}

/// A reason why a request of the server's contract cannot hold a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContractViolation {
    /// The token is not UTF-8, and the contract's field is a `string`.
    TokenNotUtf8,
    /// The expiration time is after `latest`, the last one that the contract's field type holds.
    ExpireTimeTooLate { latest: ExpireTime },
    /// The encoded record alone is larger than a request may be.
    RecordTooLarge { bytes: usize, max_bytes: usize },
}
