//! Problems in the input, with their positions and kinds.
//!
//! A problem is something wrong at one place of an input. A fatal error is a problem that ends the
//! pass over the input. After any other problem, the pass continues with the next record. The types
//! in this module contain only data; the module `diagnostics` writes the messages.

use std::{io, sync::Arc};

use super::{bytes::StreamError, excerpt::Excerpt};
use crate::record::{ExpireTime, TimeError, TokenError};

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

/// A problem in one of the inputs.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The name of the input.
    pub(crate) file: Arc<str>,
    /// `None` if the problem concerns the whole input.
    pub(crate) position: Option<Position>,
    pub(crate) kind: ProblemKind,
}

impl Problem {
    /// Converts the position from a part of an input to the whole input. `offset` counts the
    /// records and lines before the part.
    pub(super) fn shifted(mut self, offset: PositionOffset) -> Self {
        if let Some(position) = &mut self.position {
            position.record += offset.records;
            position.line += offset.lines;
        }
        self
    }
}

/// A problem in the current input. The reader does not know the name of the input, so
/// [`Self::into_problem`] adds the name.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) position: Option<Position>,
    /// Boxed to keep a `Result` with a record small, because problems are rare.
    pub(super) kind: Box<ProblemKind>,
    /// Whether the error ends the pass. A fatal error makes the input unreadable; any other error
    /// makes one record invalid.
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

/// The kind of a problem. The kinds above the blank line can make a whole input unreadable. The
/// kinds below the blank line usually concern one record. Each `name` is the name of the field's
/// column or key in messages.
#[derive(Debug)]
pub(crate) enum ProblemKind {
    Unreadable(io::Error),
    IsDirectory,
    UnsupportedFormat(UnsupportedFormat),
    /// The content of the file differs from an earlier pass over the file.
    FileChanged,
    /// The deadline passed or a signal arrived before the end of the input was read.
    ReadStopped,
    /// Malformed JSON. The message comes from the parser and does not quote the input.
    JsonSyntax(String),
    /// A corrupt archive, with the message of the decompressor.
    CorruptArchive(String),
    /// `--records` was given for an input that is not one JSON document.
    NotJsonDocument,
    /// The input ends inside a value or a quoted cell.
    Truncated,
    /// A record is longer than [`super::MAX_RECORD_BYTES`].
    RecordTooLong,
    /// The value at the place of the array of records is not an array.
    NotArray {
        found: JsonKind,
    },
    /// The root object of a JSON document contains no array or several arrays, so the array of
    /// records is unknown.
    NoSingleArray {
        keys: Vec<Excerpt>,
        arrays: usize,
    },
    /// The document has no value at the pointer of `--records`.
    PointerNotFound,
    /// The request message in the JSON mapping of protobuf has no array of records.
    MissingRequestArray,
    /// The same column or key was given for the token and for the expiration time.
    SameNameForBothFields(Excerpt),
    /// A second JSON document, or other text, follows the first JSON document.
    MultipleDocuments,
    /// No column or key has any of the names in `wanted`, which are the names of the field.
    MissingField {
        field: Field,
        wanted: Vec<String>,
        found: Vec<Excerpt>,
        /// The name in `found` that is probably a misspelled name of the field.
        nearest: Option<Excerpt>,
    },
    /// The first row looks like a record, not like a header row.
    MissingHeader,
    /// A column number from an option is 0 or greater than the number of columns.
    ColumnOutOfRange {
        field: Field,
        number: usize,
        width: usize,
    },
    /// Two columns or keys have different names of the same field.
    AmbiguousField {
        first: String,
        second: String,
    },

    /// A row and the first row have different numbers of columns.
    WrongColumnCount {
        expected: usize,
        found: usize,
    },
    /// A carriage return without a line feed after the carriage return.
    LoneCarriageReturn,
    /// A quote inside an unquoted cell, or text after the closing quote of a cell.
    BareQuote,
    NulByte,
    NotUtf8 {
        name: String,
    },
    /// A record is a JSON value other than an object.
    NotObject {
        found: JsonKind,
    },
    /// The value of a field has a JSON kind that the field does not allow.
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
    /// An earlier record has the same token and a different expiration time.
    ConflictingDuplicate {
        /// The masked token.
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
            Some(StreamError::ReadStopped) => Self::ReadStopped,
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

/// A file format that is recognized but not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnsupportedFormat {
    Utf16,
    /// A zip archive, such as an XLSX or ODS file.
    Zip,
    /// A spreadsheet in the binary format of old Excel versions.
    Xls,
    Pdf,
    /// An archive that is not gzip or zstd: xz, bzip2, 7z.
    OtherArchive,
    Binary,
}

/// A reason why a request message of the server's contract cannot contain a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContractViolation {
    /// The token is not UTF-8, and the contract's field is a `string`.
    TokenNotUtf8,
    /// The expiration time is after `latest`, the latest time that the field in the contract can
    /// represent.
    ExpireTimeTooLate { latest: ExpireTime },
    /// The encoded record alone exceeds the maximum size of a request, `max_bytes`.
    RecordTooLarge { bytes: usize, max_bytes: usize },
}
