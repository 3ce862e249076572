//! [`InputProblem`]: a problem in the input as failures and warnings report it, with its hint.

use serde::Serialize;

use super::escape::escape;
use crate::{
    input::{A_NUMBER, Field, FilePosition, Problem, ProblemKind, StreamError, UnsupportedFormat},
    record::{LikelyTime, TimeError, TokenError},
};

/// A renderer formats it for an editor or a CI system. `line` and `column` count from 1, and `column`
/// counts bytes. `record` counts from 1 without the header row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct InputProblem {
    /// `None` for a token of the ledger that no file has.
    pub(crate) file: Option<String>,
    pub(crate) record: Option<u64>,
    pub(crate) line: Option<u64>,
    pub(crate) column: Option<u64>,
    /// The name of the column or key with the wrong value.
    pub(crate) field: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl InputProblem {
    /// Returns the message, with the hint in parentheses.
    pub(crate) fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} ({hint})", self.message),
            None => self.message.clone(),
        }
    }

    /// Returns a line of text in the style of GNU programs
    /// (<https://www.gnu.org/prep/standards/html_node/Errors.html>). `severity` is `error` or
    /// `warning`.
    pub(crate) fn to_line(&self, severity: &str) -> String {
        let place = match &*self.place() {
            "" => String::new(),
            place => format!("{place}: "),
        };
        escape(&format!("{place}{severity}: {}", self.text()))
    }

    /// Returns `FILE[:LINE[:COLUMN]]`, or an empty text.
    pub(crate) fn place(&self) -> String {
        let number = |number: Option<u64>| number.map_or_else(String::new, |n| format!(":{n}"));
        let (line, column) = (number(self.line), number(self.column));
        self.file
            .as_ref()
            .map_or_else(String::new, |file| format!("{file}{line}{column}"))
    }

    /// Returns a problem of a record as a whole.
    pub(crate) fn of_record(place: &FilePosition, message: String) -> Self {
        Self {
            file: Some(place.input.name.to_string()),
            record: Some(place.position.record),
            line: Some(place.position.line),
            column: place.position.column,
            ..Self::without_place(message)
        }
    }

    pub(super) fn without_place(message: String) -> Self {
        Self {
            file: None,
            record: None,
            line: None,
            column: None,
            field: None,
            message,
            hint: None,
        }
    }
}

impl From<&Problem> for InputProblem {
    fn from(problem: &Problem) -> Self {
        let position = problem.position;
        Self {
            file: Some(problem.input.name.to_string()),
            record: position
                .map(|position| position.record)
                .filter(|record| *record > 0),
            line: position.map(|position| position.line),
            column: position.and_then(|position| position.column),
            field: problem.kind.field_name().map(ToOwned::to_owned),
            message: problem.kind.to_string(),
            hint: problem_hint(&problem.kind),
        }
    }
}

pub(super) fn problem_hint(kind: &ProblemKind) -> Option<String> {
    let hint = match kind {
        ProblemKind::NoArray {
            only_array: Some(pointer),
            ..
        }
        | ProblemKind::NotArray {
            only_array: Some(pointer),
            ..
        }
        | ProblemKind::RecordWithArrays {
            only_array: Some(pointer),
            ..
        } => return records_hint(pointer),
        ProblemKind::MissingField {
            delimiter: Some(delimiter),
            ..
        }
        | ProblemKind::ColumnOutOfRange {
            delimiter: Some(delimiter),
            ..
        }
        | ProblemKind::OtherDelimiter {
            found: delimiter, ..
        } => {
            return Some(match delimiter {
                '\t' => "pass --delimiter tab".to_owned(),
                other => format!("pass --delimiter '{other}'"),
            });
        }
        ProblemKind::MissingField {
            field,
            suggested_name,
            ..
        } => {
            let name = shlex::try_quote(suggested_name.as_deref()?).ok()?;
            let separator = if name.starts_with('-') { '=' } else { ' ' };
            return Some(format!("pass {}{separator}{name}", option(*field)));
        }
        ProblemKind::UnsupportedFormat(format) => format_hint(*format),
        ProblemKind::Stream(StreamError::DeadlinePassed) => "increase --max-time",
        ProblemKind::RecordTooLong => "look for an unterminated quote or bracket",
        ProblemKind::SeveralArrays { .. } | ProblemKind::RecordWithArrays { .. } => {
            "choose the records with --records POINTER"
        }
        ProblemKind::NoArray {
            may_be_record: true,
            ..
        } => "pass --token-field KEY --time-field KEY if the object is a record",
        ProblemKind::NotOneObjectPerLine => "pass --input-format json",
        ProblemKind::MissingRequestArray { has_array: true } => {
            "pass --records /KEY if the array has another name"
        }
        ProblemKind::RequestMessage => {
            "write each request message to a file of its own, and pass --input-format protojson"
        }
        ProblemKind::Stream(StreamError::ArchiveWindowTooLarge) => {
            "decompress the archive with zstd -d --long=31, or compress it again without --long"
        }
        ProblemKind::AlteredRejects => "push the rejects file as this program wrote it",
        ProblemKind::MissingHeader { has_time: true } => {
            "pass --no-header if the row is a record, else --token-field NAME --time-field NAME"
        }
        ProblemKind::MissingHeader { has_time: false } => {
            "pass --no-header if the row is a record, else --token-field NAME"
        }
        ProblemKind::AmbiguousField { field, .. } => {
            return Some(format!("choose a name with {} NAME", option(*field)));
        }
        ProblemKind::LoneCarriageReturn => "save the file with LF or CRLF line endings",
        ProblemKind::BareQuote => "quote the whole field and double the quotes inside it",
        ProblemKind::InvalidToken { error, .. } => token_hint(*error)?,
        ProblemKind::WrongType {
            field: Field::Token,
            found: A_NUMBER,
            ..
        } => "put the token in quotes",
        ProblemKind::ConflictingDuplicate { .. } => {
            "choose a record with --on-duplicate first, last or latest"
        }
        ProblemKind::InvalidTime { error, value, .. } => {
            return time_hint(value.as_str(), *error);
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn format_hint(format: UnsupportedFormat) -> &'static str {
    match format {
        UnsupportedFormat::Utf16 | UnsupportedFormat::Utf32 => "save the file as UTF-8",
        UnsupportedFormat::Zip | UnsupportedFormat::Xls => "save the sheet as CSV in UTF-8",
        UnsupportedFormat::OtherArchive => "decompress the file first",
        UnsupportedFormat::Pdf | UnsupportedFormat::Binary => "export the records as CSV or JSON",
    }
}

fn token_hint(error: TokenError) -> Option<&'static str> {
    Some(match error {
        TokenError::NotUtf8 { .. } => {
            "save the file as UTF-8, or write the tokens in hex or base64"
        }
        TokenError::InvalidHex { .. } => {
            "write two hexadecimal digits for each byte, without separators"
        }
        TokenError::InvalidBase64 { .. } => {
            "use only base64 characters, without spaces and line breaks"
        }
        TokenError::WrongPadding { .. } => {
            "remove the padding, or pad with \"=\" to a multiple of 4 characters"
        }
        _ => return None,
    })
}

/// `text` is the refused time.
pub(super) fn time_hint(text: &str, error: TimeError) -> Option<String> {
    let hint = match (error, LikelyTime::recognize(text, error)) {
        (_, Some(LikelyTime::InFormat(format))) => {
            let quote = if format.contains(' ') { "'" } else { "" };
            return Some(format!("pass --time-format {quote}{format}{quote}"));
        }
        (_, Some(LikelyTime::SpreadsheetSerial)) => {
            "export dates as YYYY-MM-DD; the number looks like a spreadsheet's date serial"
        }
        (
            TimeError::IntegerOutOfRange {
                looks_like_milliseconds: true,
            },
            _,
        ) => "pass --time-unit ms if the times are in milliseconds",
        (
            TimeError::SkippedLocalTime { is_in_format: true }
            | TimeError::AmbiguousLocalTime { is_in_format: true },
            _,
        ) => "add an offset such as +0100, and pass another --time-format with %z",
        (TimeError::SkippedLocalTime { .. } | TimeError::AmbiguousLocalTime { .. }, _)
            if !text.contains(':') =>
        {
            "add a time of day with an offset, such as 00:00:00+01:00"
        }
        (TimeError::SkippedLocalTime { .. } | TimeError::AmbiguousLocalTime { .. }, _) => {
            "add an offset such as +01:00"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn records_hint(pointer: &str) -> Option<String> {
    // The tokens of the request message are base64.
    let format = match pointer.rsplit('/').next() {
        Some("sensorExpire") => "--input-format protojson ",
        _ => "",
    };
    let pointer = shlex::try_quote(pointer).ok()?;
    Some(format!("pass {format}--records {pointer}"))
}

fn option(field: Field) -> &'static str {
    match field {
        Field::Token => "--token-field",
        Field::Time => "--time-field",
    }
}
