//! The text of a single problem in the input, with its position and a hint.

use std::fmt::Write as _;

use super::format::{count_noun, format_timestamp};
use crate::{
    input::{
        ContractViolation, Excerpt, Field, JsonKind, MAX_RECORD_BYTES, Position, Problem,
        ProblemKind, UnsupportedFormat,
    },
    record::{TimeError, TokenError},
};

/// Describes a problem: its file, its position, its kind, and a hint.
pub(super) fn describe_problem(problem: &Problem) -> String {
    let mut text = problem.file.to_string();
    if let Some(position) = problem.position {
        let _ = write!(text, ": {}", describe_position(position));
    }
    let _ = write!(text, ": {}", describe_kind(&problem.kind));
    if let Some(hint) = hint(&problem.kind) {
        let _ = write!(text, " (hint: {hint})");
    }
    text
}

/// Describes a position by its record, line and column. The record is left out if its number is 0,
/// which means unknown. An unknown column is left out as well.
pub(super) fn describe_position(position: Position) -> String {
    let mut text = String::new();
    if position.record > 0 {
        let _ = write!(text, "record {}, ", position.record);
    }
    let _ = write!(text, "line {}", position.line);
    if let Some(column) = position.column {
        let _ = write!(text, ", column {column}");
    }
    text
}

/// Describes the kind of a problem, without its position.
fn describe_kind(kind: &ProblemKind) -> String {
    let text = ToOwned::to_owned;
    match kind {
        ProblemKind::Unreadable(error) => format!("can't be read: {error}"),
        ProblemKind::IsDirectory => text("is a directory, not a file"),
        ProblemKind::UnsupportedFormat(format) => {
            format!("looks like {}", unsupported_format_name(*format))
        }
        ProblemKind::FileChanged => text("changed while it was read"),
        ProblemKind::ReadStopped => text("--max-time passed while it was read"),
        ProblemKind::JsonSyntax(message) => format!("malformed JSON: {message}"),
        ProblemKind::CorruptArchive(reason) => {
            format!("the archive is broken or cut off: {reason}")
        }
        ProblemKind::NotJsonDocument => {
            text("--records points into a JSON document, and this is none")
        }
        ProblemKind::Truncated => text("the document ends inside a value or an open quote"),
        ProblemKind::RecordTooLong => {
            format!("the record is longer than {} MiB", MAX_RECORD_BYTES >> 20)
        }
        ProblemKind::NotArray { found } => wrong_json_kind(*found, "a list of records"),
        ProblemKind::NoSingleArray { keys, arrays } => describe_list_choice(keys, *arrays),
        ProblemKind::MissingRequestArray => {
            text("no list sensorExpire, as the request in protobuf's JSON has")
        }
        ProblemKind::SameNameForBothFields(name) => {
            format!("{} would be both token and expire time", quote(name))
        }
        ProblemKind::PointerNotFound => text("--records leads nowhere in this document"),
        ProblemKind::MultipleDocuments => text("more JSON follows behind the document"),
        ProblemKind::MissingField {
            field,
            wanted,
            found,
            ..
        } => {
            let (field, wanted) = (field_name(*field), wanted.join(", "));
            format!("no {field} ({wanted}); found: {}", list_names(found))
        }
        ProblemKind::MissingHeader => {
            text("the first row looks like a record, not like the names of columns")
        }
        ProblemKind::ColumnOutOfRange {
            field,
            number,
            width,
        } => {
            let field = field_name(*field);
            format!("no column {number} for the {field}: there are {width}")
        }
        ProblemKind::AmbiguousField { first, second } => {
            format!("{first} and {second} are names of one field")
        }
        ProblemKind::WrongColumnCount { expected, found } => {
            let found = count_noun(*found as u64, "column");
            format!("{found} where the first row has {expected}")
        }
        ProblemKind::LoneCarriageReturn => text("a carriage return without a line feed"),
        ProblemKind::BareQuote => text("a quote that neither starts nor ends a field"),
        ProblemKind::NulByte => text("a NUL byte"),
        ProblemKind::NotUtf8 { name } => format!("{name}: not UTF-8"),
        ProblemKind::NotObject { found } => wrong_json_kind(*found, "an object"),
        ProblemKind::WrongType { field, name, found } => {
            format!(
                "{name}: {}",
                wrong_json_kind(*found, field_json_kind(*field))
            )
        }
        ProblemKind::DuplicateKey(name) => format!("the key {} comes twice", quote(name)),
        ProblemKind::InvalidToken { name, error, value } => {
            format!("{name}: {}", describe_token_error(*error, value))
        }
        ProblemKind::InvalidTime { name, error, value } => {
            format!("{name}: {}", describe_time_error(*error, value))
        }
        ProblemKind::ExpireTimePassed(time) => {
            let time = format_timestamp(i64::from(time.as_unix()));
            format!("the expire time {time} has passed")
        }
        ProblemKind::ConflictingDuplicate { token, first } => {
            let file = &first.file;
            let position = describe_position(first.position);
            format!("the token {token} came before with another time, in {file}, {position}")
        }
        ProblemKind::ContractViolation(violation) => describe_violation(*violation),
    }
}

fn describe_list_choice(keys: &[Excerpt], lists: usize) -> String {
    let keys = list_names(keys);
    match lists {
        0 => {
            format!("the document has neither a list nor both fields of a record; its keys: {keys}")
        }
        lists => format!("the document has {lists} lists; its keys: {keys}"),
    }
}

fn describe_violation(violation: ContractViolation) -> String {
    match violation {
        ContractViolation::RecordTooLarge { bytes, max_bytes } => {
            format!("the record takes {bytes} bytes of a request, --batch-bytes allows {max_bytes}")
        }
        ContractViolation::TokenNotUtf8 => {
            "the token is not UTF-8, and the server's contract has a string for it".to_owned()
        }
        ContractViolation::ExpireTimeTooLate { latest } => format!(
            "the expire time is later than {}, the last one that the type in the server's contract holds",
            format_timestamp(i64::from(latest.as_unix()))
        ),
    }
}

/// Returns the hint for a problem, or `None` if no hint is known.
fn hint(kind: &ProblemKind) -> Option<String> {
    Some(match kind {
        ProblemKind::MissingField { field, nearest, .. } => {
            let flag = match field {
                Field::Token => "--token-field",
                Field::Time => "--time-field",
            };
            match nearest {
                Some(name) => format!("{flag} {}", quote(name)),
                None => format!("{flag} NAME names it"),
            }
        }
        other => constant_hint(other)?.to_owned(),
    })
}

/// Returns the hint for a problem if the hint quotes nothing from the input. Returns `None` if no
/// such hint is known.
fn constant_hint(kind: &ProblemKind) -> Option<&'static str> {
    Some(match kind {
        ProblemKind::UnsupportedFormat(format) => unsupported_format_hint(*format),
        ProblemKind::Truncated => "the file is cut off, or a quote is never closed",
        ProblemKind::RecordTooLong => "a quote or bracket may never be closed",
        ProblemKind::NoSingleArray { arrays: 2.., .. } => "--records /KEY says which",
        ProblemKind::MissingRequestArray => {
            "--records /KEY names it where the contract calls it otherwise"
        }
        ProblemKind::PointerNotFound => "it is a JSON Pointer, such as /data/licenses",
        ProblemKind::MultipleDocuments => "--input-format ndjson reads one object a line",
        ProblemKind::MissingHeader => "--no-header reads a file without names",
        ProblemKind::ColumnOutOfRange { .. } => "columns are counted from 1",
        ProblemKind::AmbiguousField { .. } => {
            "name the one that counts with --token-field or --time-field"
        }
        ProblemKind::LoneCarriageReturn => "save the file with line ends of LF or CRLF",
        ProblemKind::BareQuote => "quote the whole field and double the quotes in it",
        ProblemKind::NotUtf8 { .. } => {
            "save the file as UTF-8, or write such tokens in hex or base64"
        }
        ProblemKind::WrongType {
            field: Field::Token,
            found: JsonKind::Number,
            ..
        } => "put the token in quotes",
        ProblemKind::ExpireTimePassed(_) => "without --refuse-past this is a warning",
        ProblemKind::ConflictingDuplicate { .. } => {
            "--on-duplicate first, last or latest settles it"
        }
        ProblemKind::InvalidToken { error, .. } => match error {
            TokenError::InvalidHex { .. } | TokenError::InvalidBase64 { .. } => {
                "--token-encoding says how tokens are written"
            }
            TokenError::Empty | TokenError::SurroundingWhitespace | TokenError::OddHexLength => {
                return None;
            }
        },
        ProblemKind::InvalidTime { error, .. } => match error {
            TimeError::IntegerOutOfRange {
                looks_like_milliseconds: true,
            } => "--time-unit ms, if these are milliseconds",
            TimeError::UnknownFormat => "such as 1798675200, 2026-12-31 or 2026-12-31T00:00:00Z",
            TimeError::SkippedLocalTime | TimeError::AmbiguousLocalTime => {
                "write it with its offset, such as +01:00"
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn unsupported_format_name(format: UnsupportedFormat) -> &'static str {
    match format {
        UnsupportedFormat::Utf16 => "UTF-16 text",
        UnsupportedFormat::Zip => "a zip archive, as spreadsheets (XLSX, ODS) are",
        UnsupportedFormat::Xls => "a spreadsheet of the old XLS kind",
        UnsupportedFormat::OtherArchive => "an archive of another kind than gzip and zstd",
        UnsupportedFormat::Pdf => "a PDF",
        UnsupportedFormat::Binary => "a binary file",
    }
}

fn unsupported_format_hint(format: UnsupportedFormat) -> &'static str {
    match format {
        UnsupportedFormat::Utf16 => "save it as UTF-8",
        UnsupportedFormat::Zip | UnsupportedFormat::Xls => "save the sheet as CSV in UTF-8",
        UnsupportedFormat::OtherArchive => "decompress it first",
        UnsupportedFormat::Pdf | UnsupportedFormat::Binary => "export the records as CSV or JSON",
    }
}

fn describe_token_error(error: TokenError, value: &Excerpt) -> String {
    let value = quote(value);
    match error {
        TokenError::Empty => "empty".to_owned(),
        TokenError::SurroundingWhitespace => format!("white space around the token: {value}"),
        TokenError::OddHexLength => format!("an odd number of hexadecimal digits: {value}"),
        TokenError::InvalidHex { offset } => {
            format!("no hexadecimal digit at byte {}: {value}", offset + 1)
        }
        TokenError::InvalidBase64 { offset } => {
            format!("no base64 from byte {} on: {value}", offset + 1)
        }
    }
}

fn describe_time_error(error: TimeError, value: &Excerpt) -> String {
    let description = match error {
        TimeError::Empty => return "empty".to_owned(),
        TimeError::NotInteger => "not a whole number of seconds without sign, point or exponent",
        TimeError::IntegerOutOfRange { .. } => "not in 0 to 4294967295",
        TimeError::NotWholeSecond => "milliseconds that are no whole second",
        TimeError::UnknownFormat => "neither Unix seconds nor an RFC 3339 date or time",
        TimeError::InvalidDateTime => "no such date or time of day",
        TimeError::LeapSecond => "a leap second, which Unix time does not count",
        TimeError::FractionalSecond => "a fraction of a second",
        TimeError::DateOutOfRange => "not from 1970-01-01T00:00:00Z to 2106-02-07T06:28:15Z",
        TimeError::SkippedLocalTime => "a local time that its zone's clocks skip",
        TimeError::AmbiguousLocalTime => "a local time that its zone's clocks show twice",
    };
    format!("{description}: {}", quote(value))
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Token => "device token",
        Field::Time => "expire time",
    }
}

/// Returns a noun for the kinds of JSON value that a field accepts.
fn field_json_kind(field: Field) -> &'static str {
    match field {
        Field::Token => "a string",
        Field::Time => "a number or a string",
    }
}

fn wrong_json_kind(found: JsonKind, expected: &str) -> String {
    format!("{} where {expected} belongs", json_kind(found))
}

fn json_kind(kind: JsonKind) -> &'static str {
    match kind {
        JsonKind::Null => "null",
        JsonKind::Bool => "a boolean",
        JsonKind::Number => "a number",
        JsonKind::String => "a string",
        JsonKind::Array => "a list",
        JsonKind::Object => "an object",
    }
}

fn quote(excerpt: &Excerpt) -> String {
    format!("\"{}\"", excerpt.as_str())
}

/// The maximum number of names that a message lists, so that the message stays readable.
const MAX_NAMES: usize = 20;

fn list_names(names: &[Excerpt]) -> String {
    let mut shown: Vec<_> = names.iter().take(MAX_NAMES).map(quote).collect();
    if names.len() > MAX_NAMES {
        shown.push(format!("and {} more", names.len() - MAX_NAMES));
    }
    if shown.is_empty() {
        return "none".to_owned();
    }
    shown.join(", ")
}
