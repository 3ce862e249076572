//! Problems in the input, with their positions, in words. A fatal error ends the pass over the
//! input. After any other problem, the pass continues with the next record.

use std::{
    fmt::{self, Display},
    io,
};

use super::{
    bytes::StreamError,
    excerpt::Excerpt,
    options::MAX_RECORD_BYTES,
    position::{FilePosition, InputLabel, Position},
};
use crate::{
    record::{ContractViolation, ExpireTime, SuspiciousToken, TimeError, TokenError},
    user_path::reason_of,
};

/// The kind of a JSON value that has a hint of its own.
pub(crate) const A_NUMBER: &str = "a number";

#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) input: InputLabel,
    /// `None` if the problem concerns the whole input.
    pub(crate) position: Option<Position>,
    pub(crate) kind: ProblemKind,
}

#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) position: Option<Position>,
    /// Boxed to keep a `Result` with a record small, because problems are rare.
    pub(super) kind: Box<ProblemKind>,
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

    pub(super) fn into_problem(self, input: &InputLabel) -> Problem {
        Problem {
            input: input.clone(),
            position: self.position,
            kind: *self.kind,
        }
    }
}

impl From<ProblemKind> for ReadError {
    fn from(kind: ProblemKind) -> Self {
        Self::fatal(None, kind)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ProblemKind::from(error).into()
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, kind) = (&self.input.name, &self.kind);
        match (kind, self.position) {
            (ProblemKind::CannotOpen(error), _) => {
                write!(f, "cannot open {file}: {}", reason_of(error))
            }
            (ProblemKind::CannotRead(error), _) => {
                write!(f, "cannot read {file}: {}", reason_of(error))
            }
            (_, Some(position)) => write!(f, "{file}:{position}: {kind}"),
            (_, None) => write!(f, "{file}: {kind}"),
        }
    }
}

/// The kinds above the blank line can make a whole input unreadable, the others usually concern one
/// record. `name` is the name of the column or key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProblemKind {
    #[error("cannot open: {}", reason_of(.0))]
    CannotOpen(io::Error),
    #[error("cannot read: {}", reason_of(.0))]
    CannotRead(io::Error),
    #[error(transparent)]
    Stream(StreamError),
    #[error("input is {0}")]
    UnsupportedFormat(UnsupportedFormat),
    /// The message comes from the parser and does not quote the input.
    #[error("malformed JSON: {0}")]
    JsonSyntax(String),
    #[error("--records needs a single JSON document")]
    NotJsonDocument,
    #[error("truncated JSON")]
    TruncatedJson,
    #[error("unterminated quote")]
    UnterminatedQuote,
    #[error("record is longer than {} MiB", MAX_RECORD_BYTES >> 20)]
    RecordTooLong,
    /// `place` is the JSON Pointer of `--records`, or empty for the root of the document.
    #[error("expected an array of records{}, found {found}", at(.place))]
    NotArray {
        place: String,
        found: &'static str,
        only_array: Option<String>,
    },
    #[error("expected an array of records, found {}", only_keys(.keys))]
    NoArray {
        keys: Vec<Excerpt>,
        /// Whether no value is an array or an object, so that the document may be a record.
        may_be_record: bool,
        /// The JSON Pointer of the only array of objects deeper in the document.
        only_array: Option<String>,
    },
    /// The JSON Pointers of the arrays.
    #[error("expected one array of records, found {}", list(.0))]
    SeveralArrays(Vec<Excerpt>),
    #[error("root object is a record and has other records at {}", list(.arrays))]
    RecordWithArrays {
        arrays: Vec<Excerpt>,
        /// The JSON Pointer of the only array.
        only_array: Option<String>,
    },
    #[error("no value at --records \"{pointer}\"{}", keys_at(.parent, .keys))]
    PointerNotFound {
        pointer: String,
        /// The longest part of `pointer` that leads to a value, and the keys of this value.
        parent: String,
        keys: Vec<Excerpt>,
    },
    #[error("no array \"sensorExpire\"")]
    MissingRequestArray { has_array: bool },
    #[error("expected a record, found a request message (\"sensorExpire\")")]
    RequestMessage,
    #[error("{0} is selected as both device token and expiration time")]
    SameNameForBothFields(Excerpt),
    #[error("expected one JSON object per line")]
    NotOneObjectPerLine,
    #[error("unexpected text after the JSON document")]
    MultipleDocuments,
    #[error("rejects file was changed by another program")]
    AlteredRejects,
    #[error("no {field}: expected {}, found {}", alternatives(.wanted), list(.found))]
    MissingField {
        field: Field,
        wanted: Vec<String>,
        found: Vec<Excerpt>,
        /// `NAME` stands for any name. `None` if the user could not type the probable name, or if
        /// each name found is a name of the other field.
        suggested_name: Option<String>,
        /// The delimiter that the header row seems to have.
        delimiter: Option<char>,
    },
    #[error("first row looks like a record, not like a header row")]
    MissingHeader { has_time: bool },
    #[error("expected \"{expected}\" after a quoted field, found \"{}\"", .found.escape_default())]
    OtherDelimiter { expected: char, found: char },
    #[error("no column {number} for the {field}, found {}", columns(*.width))]
    ColumnOutOfRange {
        field: Field,
        number: String,
        width: usize,
        delimiter: Option<char>,
    },
    #[error("\"{first}\" and \"{second}\" both name the {field}")]
    AmbiguousField {
        field: Field,
        first: String,
        second: String,
    },

    #[error("expected {}, found {found}", columns(*.expected))]
    WrongColumnCount { expected: usize, found: usize },
    #[error("carriage return without line feed")]
    LoneCarriageReturn,
    #[error("quote inside an unquoted field, or text after a closing quote")]
    BareQuote,
    #[error("NUL byte")]
    NulByte,
    #[error("expected an object, found {found}")]
    NotObject { found: &'static str },
    #[error("{name}: expected {}, found {found}", .field.json_kinds())]
    WrongType {
        field: Field,
        name: String,
        found: &'static str,
    },
    #[error("{0} occurs more than once")]
    DuplicateName(Excerpt),
    #[error("encoding {0} is neither utf8 nor base64")]
    UnknownEncoding(Excerpt),
    #[error("{name} {value} {error}")]
    InvalidToken {
        name: String,
        error: TokenError,
        value: Excerpt,
    },
    #[error("{name} {value} {error}")]
    InvalidTime {
        name: String,
        error: TimeError,
        value: Excerpt,
    },
    #[error("token {token} has a different expiration time at {first}")]
    ConflictingDuplicate { token: String, first: FilePosition },
    #[error("expiration time {0} is in the past")]
    ExpireTimePassed(ExpireTime),
    /// This is a warning.
    #[error(transparent)]
    SuspiciousToken(SuspiciousToken),
    #[error(transparent)]
    ContractViolation(ContractViolation),
}

/// Messages list the classes in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum ProblemClass {
    #[error("malformed")]
    Malformed,
    #[error("invalid token")]
    InvalidToken,
    #[error("invalid time")]
    InvalidTime,
    #[error("conflicting duplicate")]
    ConflictingDuplicate,
    #[error("too large")]
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Field {
    #[error("device token")]
    Token,
    #[error("expiration time")]
    Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnsupportedFormat {
    #[error("UTF-16 text")]
    Utf16,
    #[error("UTF-32 text")]
    Utf32,
    #[error("a zip archive, such as an XLSX or ODS spreadsheet")]
    Zip,
    #[error("an XLS spreadsheet")]
    Xls,
    #[error("a PDF document")]
    Pdf,
    #[error("an archive other than gzip and zstd")]
    OtherArchive,
    #[error("a binary file")]
    Binary,
}

impl ProblemKind {
    /// Returns the name of the column or key with the wrong value.
    pub(crate) fn field_name(&self) -> Option<&str> {
        match self {
            Self::WrongType { name, .. }
            | Self::InvalidToken { name, .. }
            | Self::InvalidTime { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Returns whether the reading of an input ended for a reason other than its content.
    pub(crate) fn is_outside_input(&self) -> bool {
        matches!(
            self,
            Self::CannotOpen(_)
                | Self::CannotRead(_)
                | Self::Stream(StreamError::DeadlinePassed | StreamError::Interrupted)
        )
    }

    pub(super) fn cannot_open(error: io::Error) -> Self {
        match Self::from(error) {
            Self::CannotRead(error) => Self::CannotOpen(error),
            kind => kind,
        }
    }

    pub(super) fn class(&self) -> ProblemClass {
        match self {
            Self::WrongType {
                field: Field::Token,
                ..
            }
            | Self::UnknownEncoding(_)
            | Self::InvalidToken { .. }
            | Self::ContractViolation(ContractViolation::TokenNotUtf8) => {
                ProblemClass::InvalidToken
            }
            Self::WrongType {
                field: Field::Time, ..
            }
            | Self::InvalidTime { .. }
            | Self::ExpireTimePassed(_)
            | Self::ContractViolation(ContractViolation::ExpireTimeTooLate(_)) => {
                ProblemClass::InvalidTime
            }
            Self::ConflictingDuplicate { .. } => ProblemClass::ConflictingDuplicate,
            Self::RecordTooLong
            | Self::ContractViolation(ContractViolation::RecordTooLarge { .. }) => {
                ProblemClass::TooLarge
            }
            _ => ProblemClass::Malformed,
        }
    }
}

impl From<io::Error> for ProblemKind {
    fn from(error: io::Error) -> Self {
        match error.downcast() {
            Ok(error) => Self::Stream(error),
            Err(error) => Self::CannotRead(error),
        }
    }
}

impl Field {
    fn json_kinds(self) -> &'static str {
        match self {
            Self::Token => "a string",
            Self::Time => "a number or a string",
        }
    }
}

fn at(place: &str) -> String {
    match place {
        "" => String::new(),
        place => format!(" at \"{place}\""),
    }
}

fn keys_at(parent: &str, keys: &[Excerpt]) -> String {
    match keys {
        [] => String::new(),
        keys => format!("; keys{}: {}", at(parent), list(keys)),
    }
}

fn only_keys(keys: &[Excerpt]) -> String {
    match keys {
        [] => "an empty object".to_owned(),
        keys => format!("only the keys {}", list(keys)),
    }
}

fn columns(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} column{plural}")
}

fn alternatives(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(" or ")
}

/// A message stays readable with at most 20 names.
fn list(names: &[Excerpt]) -> String {
    const MAX_NAMES: usize = 20;
    let mut shown: Vec<_> = names
        .iter()
        .take(MAX_NAMES)
        .map(ToString::to_string)
        .collect();
    match names.len() {
        0 => return "none".to_owned(),
        all if all > MAX_NAMES => shown.push(format!("and {} more", all - MAX_NAMES)),
        _ => {}
    }
    shown.join(", ")
}
