//! What can be wrong with an input, and where.

use std::{fmt, io, sync::Arc};

use super::bytes::StreamError;
use crate::record::{ExpireTime, TimeError, TokenError};

/// Where a record stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Counted from 1 in each file; a header is not counted. 0 before the first record.
    pub(crate) record: u64,
    /// The physical line, counted from 1.
    pub(crate) line: u64,
    /// In JSON: bytes from the start of the line, counted from 1.
    pub(crate) column: Option<u64>,
}

/// One thing wrong with an input.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) file: Arc<str>,
    pub(crate) position: Option<Position>,
    pub(crate) kind: ProblemKind,
}

impl Problem {
    /// Moves it behind so many records and lines.
    pub(super) fn behind(mut self, (records, lines): (u64, u64)) -> Self {
        if let Some(position) = &mut self.position {
            position.record += records;
            position.line += lines;
        }
        self
    }
}

/// Which of a record's two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Token,
    Time,
}

/// A kind of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonKind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// What a file looks like that is none of the formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnsupportedFormat {
    Utf16,
    /// A zip archive, as XLSX and ODS files are.
    Zip,
    /// A spreadsheet of the old binary kind.
    Xls,
    Pdf,
    /// An archive of a kind that is not read: xz, bzip2, 7z.
    OtherArchive,
    Binary,
}

/// A piece of the input that may be shown: cut so that no token is whole in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Excerpt(String);

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub(crate) position: Position,
    pub(crate) value: T,
}

/// One thing wrong with the file that is being read.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) position: Option<Position>,
    /// Apart, so that a record, which is what is read nearly always, is moved alone.
    pub(super) kind: Box<ProblemKind>,
    /// Whether reading ends here: the fault is the document's, and counts as no record.
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

/// What is wrong. The first group concerns a whole document, the second one record.
#[derive(Debug)]
pub(crate) enum ProblemKind {
    Unreadable(io::Error),
    IsDirectory,
    UnsupportedFormat(UnsupportedFormat),
    /// The file is not what it was when it was validated.
    FileChanged,
    /// It had not ended when all had to have been read.
    DeadlineExceeded,
    /// Malformed JSON, in the parser's words, which quote nothing of the input.
    JsonSyntax(String),
    /// A broken archive, in the decoder's words.
    CorruptArchive(String),
    /// `--records` for something that is no JSON document.
    NotJsonDocument,
    /// The document ends inside a value or a quoted field.
    Truncated,
    /// A record longer than [`super::MAX_RECORD_BYTES`].
    RecordTooLong,
    /// Something else where the list of records belongs.
    NotArray {
        found: JsonKind,
    },
    /// A JSON object whose direct members are no list, or more than one.
    NoSingleArray {
        keys: Vec<Excerpt>,
        lists: usize,
    },
    /// `--records` leads nowhere.
    PointerNotFound,
    /// Protobuf JSON without the request's list.
    MissingRequestArray,
    /// One column or key for both fields.
    SameNameForBothFields(Excerpt),
    /// More JSON behind the document's end.
    MultipleDocuments,
    /// No column or key of this field.
    MissingField {
        field: Field,
        wanted: Vec<String>,
        found: Vec<Excerpt>,
        nearest: Option<Excerpt>,
    },
    /// The first row looks like a record.
    MissingHeader,
    /// A column was asked for by a number past the row's width.
    ColumnOutOfRange {
        field: Field,
        number: usize,
        width: usize,
    },
    /// Two columns or keys of one field.
    AmbiguousField {
        first: String,
        second: String,
    },

    WrongColumnCount {
        expected: usize,
        found: usize,
    },
    LoneCarriageReturn,
    BareQuote,
    NulByte,
    NotUtf8 {
        name: String,
    },
    NotObject {
        found: JsonKind,
    },
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
    /// The token came before with another time.
    ConflictingDuplicate {
        token: String,
        first_file: Arc<str>,
        first: Position,
    },
    /// A time before now, where that is refused.
    ExpireTimePassed(ExpireTime),
    ContractViolation(ContractViolation),
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

/// Names of one word are no longer than this ("devicetoken"), and neither are the words of others.
const LONGEST_WORD: usize = 11;

/// The most words of a name.
const MOST_WORDS: usize = 4;

/// Whether a text is a few words, as `device_token`, `Expire Time` or `col2` are.
fn is_like_name(text: &str) -> bool {
    let mut words = 0;
    let mut letters = 0;
    let mut digits = 0;
    let mut before = ' ';
    for c in text.chars() {
        if c.is_alphabetic() {
            // A capital starts a word, unless it stands in a row of them.
            if !before.is_alphabetic() || (c.is_uppercase() && before.is_lowercase()) {
                words += 1;
                letters = 0;
            }
            letters += 1;
            if letters > LONGEST_WORD || before.is_numeric() {
                return false;
            }
        } else if c.is_numeric() {
            digits += 1;
        } else if !" _-.:/()#".contains(c) {
            return false;
        }
        before = c;
    }
    words <= MOST_WORDS && digits <= 2
}

/// Whether a text is numbers in the order of a date, and then perhaps of a time of day.
fn is_like_date(text: &str) -> bool {
    let (day, clock) = match text.split_once(['T', 't', ' ']) {
        Some((day, clock)) => (day, clock),
        None => (text, ""),
    };
    let groups: Vec<&str> = day.split(['-', '/', '.']).collect();
    let [first, second, third] = groups.as_slice() else {
        return false;
    };
    let number = |group: &str, most: usize| {
        (1..=most).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit())
    };
    number(first, 4)
        && number(second, 2)
        && number(third, 4)
        && clock.len() <= 20
        && clock
            .bytes()
            .all(|byte| b"0123456789:.+-Zz".contains(&byte))
}

impl Excerpt {
    /// A token's text: its first characters at most.
    pub(super) fn of_token(text: &str) -> Self {
        let length = text.chars().count();
        Self::cut(text, length, (length / 3).min(4))
    }

    /// A time's text. It is shown whole only where it can't be a token that stands in the wrong
    /// column: a short number, or a date with its numbers where a date has them.
    pub(super) fn of_time(text: &str) -> Self {
        let length = text.chars().count();
        let number = length <= 10 && text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
        if number || is_like_date(text) {
            return Self(text.to_owned());
        }
        Self::cut(text, length, (length / 3).min(8))
    }

    /// The name of a column or key. Where there is no header, or a document maps tokens to times,
    /// it may be a token: what has no likeness to a name is cut.
    pub(super) fn of_name(text: &str) -> Self {
        let length = text.chars().count();
        if is_like_name(text) {
            return Self(text.to_owned());
        }
        Self::cut(text, length, (length / 3).min(8))
    }

    /// Whether it is shown whole.
    pub(super) fn is_whole(&self) -> bool {
        !self.0.contains('…')
    }

    fn cut(text: &str, length: usize, shown: usize) -> Self {
        let front: String = text.chars().take(shown).collect();
        let unit = if length == 1 {
            "character"
        } else {
            "characters"
        };
        Self(format!("{front}… ({length} {unit})"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Excerpt;

    #[test]
    fn a_time_is_shown_unless_it_could_be_a_token() {
        for (text, shown) in [
            ("31/12/2026", "31/12/2026"),
            ("4294967296", "4294967296"),
            ("1580962440000", "1580… (13 characters)"),
            ("00:11:22:33:44:55", "00:11… (17 characters)"),
            ("1234-5678-9012-3456", "1234-5… (19 characters)"),
            ("99-11-22-33-44-55", "99-11… (17 characters)"),
            ("1e9", "1e9"),
            ("2026-02-30T00:00:00+01:00", "2026-02-30T00:00:00+01:00"),
            ("tomorrow", "to… (8 characters)"),
            ("fadfadftetwtwtwt", "fadfa… (16 characters)"),
            ("356938035643809", "35693… (15 characters)"),
        ] {
            assert_eq!(Excerpt::of_time(text).as_str(), shown);
        }
    }

    #[test]
    fn a_name_is_shown_unless_it_could_be_a_token() {
        for name in [
            "id",
            "devicetoken",
            "device_token",
            "expireTime",
            "Expire Time (UTC)",
            "col2",
            "",
        ] {
            assert_eq!(Excerpt::of_name(name).as_str(), name);
        }
        for (name, shown) in [
            ("fadfadftetwtwtwt", "fadfa… (16 characters)"),
            ("token-98f3ab", "toke… (12 characters)"),
            ("abcdefghijkl", "abcd… (12 characters)"),
            ("a1b2c3", "a1… (6 characters)"),
            ("356938035643809", "35693… (15 characters)"),
        ] {
            assert_eq!(Excerpt::of_name(name).as_str(), shown);
        }
    }
}
