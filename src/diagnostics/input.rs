//! What is wrong with an input, in words.

use std::fmt::Write as _;

use super::{Failure, INPUT, Kind, count, date};
use crate::{
    contract::Unfit,
    input::{
        Class, Counts, Excerpt, Field, JsonKind, LARGEST_RECORD, Lookalike, Position, Problem,
        ProblemKind, Validated,
    },
    record::{TimeError, TokenError},
};

impl Failure {
    /// Input that was refused: every problem that is shown is a cause. `done` is what was therefore
    /// not done with it.
    pub(crate) fn refused(counts: &Counts, problems: &[Problem], done: &str) -> Self {
        let inputs = format!(
            "{} can't be read to the end",
            count(counts.documents, "input")
        );
        let records = format!(
            "{} of {} invalid ({})",
            counts.invalid,
            count(counts.read, "record"),
            by_class(counts)
        );
        let is_late = |problem: &Problem| matches!(problem.kind, ProblemKind::TooLate);
        let is_late = !problems.is_empty() && problems.iter().all(is_late);
        let message = match (counts.invalid, counts.documents) {
            _ if is_late => {
                "the input could not be read in the time that --max-time gives".to_owned()
            }
            (0, _) => inputs,
            (_, 0) => records,
            (_, _) => format!("{inputs}, {records}"),
        };
        let message = format!("{message}; nothing was {done}");
        let mut failure = Self::new(Kind::Input, INPUT, message);
        failure.causes = problems.iter().map(sentence).collect();
        let all = counts.invalid + counts.documents;
        let hidden = all.saturating_sub(problems.len() as u64);
        if hidden > 0 {
            failure = failure.cause(format!("and {hidden} more"));
        }
        let hint = if is_late {
            "--max-time gives it longer; where it is a pipe, check what writes it"
        } else if hidden > 0 {
            "mend the input; --max-errors N shows more of it"
        } else {
            "mend the input and run it again"
        };
        failure.hint(hint)
    }

    /// No record where there must be one.
    pub(crate) fn empty() -> Self {
        Self::new(
            Kind::Input,
            INPUT,
            "the input holds no record; nothing was sent",
        )
        .hint("without --fail-on-empty this is no error")
    }

    /// Fewer or more records than there may be.
    pub(crate) fn guard(valid: u64, rail: &str, limit: u64) -> Self {
        Self::new(
            Kind::Input,
            INPUT,
            format!(
                "{} would be pushed, {rail} {limit} does not allow it; nothing was sent",
                count(valid, "record")
            ),
        )
        .hint("check that the input is the one that was meant")
    }

    /// More known tokens with another time than there may be.
    pub(crate) fn too_many_changes(changed: u64, allowed: u64, rail: &str) -> Self {
        Self::new(
            Kind::Input,
            INPUT,
            format!(
                "{} of tokens in the ledger would change, --max-changes {rail} allows {allowed}; nothing was sent",
                count(changed, "time")
            ),
        )
        .hint("check that the input is the one that was meant; a larger --max-changes lets it through")
    }

    /// Times that are earlier than those that the server acknowledged before.
    pub(crate) fn shortened(shortened: u64, examples: Vec<String>) -> Self {
        let mut failure = Self::new(
            Kind::Input,
            INPUT,
            format!(
                "{} earlier than in the ledger, --refuse-shortened does not allow it; nothing was sent",
                count(shortened, "expire time")
            ),
        )
        .hint("check that the input is the one that was meant; without --refuse-shortened it is sent");
        failure.causes = examples;
        failure
    }

    /// An input that is no longer what was validated, or that can't be read any more.
    pub(crate) fn changed(problem: &Problem) -> Self {
        let (message, hint) = match problem.kind {
            ProblemKind::TooLate => (
                "the input was not read again before --max-time had passed; nothing more was sent",
                "--max-time gives the run longer",
            ),
            ProblemKind::Unreadable(_) => (
                "the input can't be read again after it was validated; nothing more was sent",
                "run it again once it can be read",
            ),
            _ => (
                "the input changed after it was validated; nothing more was sent",
                "run it again when nobody writes the file any more",
            ),
        };
        Self::new(Kind::Input, INPUT, message)
            .cause(sentence(problem))
            .hint(hint)
    }
}

fn by_class(counts: &Counts) -> String {
    let words = counts.by_class.iter().map(|(class, number)| match class {
        Class::Document => format!("{number} unreadable"),
        Class::Shape => format!("{number} malformed"),
        Class::Token => count(*number, "bad token"),
        Class::Time => count(*number, "bad time"),
        Class::Duplicate => count(*number, "conflicting duplicate"),
        Class::Size => format!("{number} too large"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// What is odd about an input that was taken all the same.
pub(crate) fn warnings(validated: &Validated) -> Vec<String> {
    let mut warnings = Vec::new();
    if validated.expiry.past > 0 {
        warnings.push(format!(
            "{} already passed",
            count(validated.expiry.past, "expire time")
        ));
    }
    if validated.counts.duplicate > 0 {
        warnings.push(format!(
            "{} left out, each token is sent once",
            count(validated.counts.duplicate, "duplicate")
        ));
    }
    warnings
}

/// One problem with its place.
fn sentence(problem: &Problem) -> String {
    let mut text = problem.file.to_string();
    if let Some(at) = problem.at {
        let _ = write!(text, ": {}", place(at));
    }
    let _ = write!(text, ": {}", what(&problem.kind));
    if let Some(hint) = hint(&problem.kind) {
        let _ = write!(text, " (hint: {hint})");
    }
    text
}

pub(super) fn place(at: Position) -> String {
    let mut text = String::new();
    if at.record > 0 {
        let _ = write!(text, "record {}, ", at.record);
    }
    let _ = write!(text, "line {}", at.line);
    if let Some(column) = at.column {
        let _ = write!(text, ", column {column}");
    }
    text
}

/// What is wrong.
fn what(kind: &ProblemKind) -> String {
    let plain = ToOwned::to_owned;
    let limit = LARGEST_RECORD >> 20;
    match kind {
        ProblemKind::Unreadable(error) => format!("can't be read: {error}"),
        ProblemKind::Directory => plain("is a directory, not a file"),
        ProblemKind::Lookalike(lookalike) => format!("looks like {}", looks_like(*lookalike).0),
        ProblemKind::Changed => plain("changed while it was read"),
        ProblemKind::TooLate => plain("--max-time passed while it was read"),
        ProblemKind::Syntax(message) => format!("malformed JSON: {message}"),
        ProblemKind::Archive(reason) => format!("the archive is broken or cut off: {reason}"),
        ProblemKind::NoDocument => plain("--records points into a JSON document, and this is none"),
        ProblemKind::Truncated => plain("the document ends inside a value or an open quote"),
        ProblemKind::TooLong => format!("the record is longer than {limit} MiB"),
        ProblemKind::NotList { found } => {
            format!("{} where a list of records belongs", json_kind(*found))
        }
        ProblemKind::NoList { keys, lists: 0 } => format!(
            "the document has neither a list nor both fields of a record; its keys: {}",
            list(keys)
        ),
        ProblemKind::NoList { keys, lists } => {
            format!("the document has {lists} lists; its keys: {}", list(keys))
        }
        ProblemKind::NoRequest => {
            plain("no list sensorExpire, as the request in protobuf's JSON has")
        }
        ProblemKind::SameField(name) => {
            format!("{} would be both token and expire time", quoted(name))
        }
        ProblemKind::NoPointer => plain("--records leads nowhere in this document"),
        ProblemKind::SecondDocument => plain("more JSON follows behind the document"),
        ProblemKind::MissingField {
            field,
            wanted,
            found,
            ..
        } => format!(
            "no {} ({}); found: {}",
            field_name(*field),
            wanted.join(", "),
            list(found)
        ),
        ProblemKind::NoHeader => {
            plain("the first row looks like a record, not like the names of columns")
        }
        ProblemKind::NoColumn {
            field,
            number,
            width,
        } => format!(
            "no column {number} for the {}: there are {width}",
            field_name(*field)
        ),
        ProblemKind::Spellings { first, second } => {
            format!("{first} and {second} are names of one field")
        }
        ProblemKind::Ragged { expected, found } => format!(
            "{} where the first row has {expected}",
            count(*found as u64, "column")
        ),
        ProblemKind::LoneCarriageReturn => plain("a carriage return without a line feed"),
        ProblemKind::BareQuote => plain("a quote that neither starts nor ends a field"),
        ProblemKind::Nul => plain("a NUL byte"),
        ProblemKind::NotUtf8 { name } => format!("{name}: not UTF-8"),
        ProblemKind::NotObject { found } => {
            format!("{} where an object belongs", json_kind(*found))
        }
        ProblemKind::WrongType { field, name, found } => {
            let wanted = match field {
                Field::Token => "a string",
                Field::Time => "a number or a string",
            };
            format!("{name}: {} where {wanted} belongs", json_kind(*found))
        }
        ProblemKind::DuplicateKey(name) => format!("the key {} comes twice", quoted(name)),
        ProblemKind::Token { name, error, value } => format!("{name}: {}", token(*error, value)),
        ProblemKind::Time { name, error, value } => format!("{name}: {}", time(*error, value)),
        ProblemKind::Past(time) => format!(
            "the expire time {} has passed",
            date(i64::from(time.as_unix()))
        ),
        ProblemKind::Conflict {
            token,
            first_file,
            first,
        } => format!(
            "the token {token} came before with another time, in {first_file}, {}",
            place(*first)
        ),
        ProblemKind::TooLarge { bytes, limit } => {
            format!("the record takes {bytes} bytes of a request, --batch-bytes allows {limit}")
        }
        ProblemKind::Unfit(Unfit::NotText) => {
            plain("the token is not UTF-8, and the server's contract has a string for it")
        }
        ProblemKind::Unfit(Unfit::TooLate(latest)) => format!(
            "the expire time is later than {}, the last one that the type in the server's contract holds",
            date(i64::from(latest.as_unix()))
        ),
    }
}

/// What to do about it, where that is known.
fn hint(kind: &ProblemKind) -> Option<String> {
    Some(match kind {
        ProblemKind::Lookalike(lookalike) => looks_like(*lookalike).1.to_owned(),
        ProblemKind::MissingField { field, nearest, .. } => {
            let flag = match field {
                Field::Token => "--token-field",
                Field::Time => "--time-field",
            };
            match nearest {
                Some(name) => format!("{flag} {}", quoted(name)),
                None => format!("{flag} NAME names it"),
            }
        }
        other => fixed_hint(other)?.to_owned(),
    })
}

fn fixed_hint(kind: &ProblemKind) -> Option<&'static str> {
    Some(match kind {
        ProblemKind::Truncated => "the file is cut off, or a quote is never closed",
        ProblemKind::TooLong => "a quote or bracket may never be closed",
        ProblemKind::NoList { lists: 2.., .. } => "--records /KEY says which",
        ProblemKind::NoRequest => "--records /KEY names it where the contract calls it otherwise",
        ProblemKind::NoPointer => "it is a JSON Pointer, such as /data/licenses",
        ProblemKind::SecondDocument => "--input-format ndjson reads one object a line",
        ProblemKind::NoHeader => "--no-header reads a file without names",
        ProblemKind::NoColumn { .. } => "columns are counted from 1",
        ProblemKind::Spellings { .. } => {
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
        ProblemKind::Past(_) => "without --refuse-past this is a warning",
        ProblemKind::Conflict { .. } => "--on-duplicate first, last or latest settles it",
        ProblemKind::Token { error, .. } => match error {
            TokenError::NotHex(_) | TokenError::NotBase64(_) => {
                "--token-encoding says how tokens are written"
            }
            TokenError::Empty | TokenError::Surrounded | TokenError::OddHex => return None,
        },
        ProblemKind::Time { error, .. } => match error {
            TimeError::IntegerRange { milliseconds: true } => {
                "--time-unit ms, if these are milliseconds"
            }
            TimeError::NotTime => "such as 1798675200, 2026-12-31 or 2026-12-31T00:00:00Z",
            TimeError::LocalGap | TimeError::LocalFold => {
                "write it with its offset, such as +01:00"
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// What it is, and what to do about it.
fn looks_like(lookalike: Lookalike) -> (&'static str, &'static str) {
    match lookalike {
        Lookalike::Utf16 => ("UTF-16 text", "save it as UTF-8"),
        Lookalike::Zip => (
            "a zip archive, as spreadsheets (XLSX, ODS) are",
            "save the sheet as CSV in UTF-8",
        ),
        Lookalike::Xls => (
            "a spreadsheet of the old XLS kind",
            "save the sheet as CSV in UTF-8",
        ),
        Lookalike::OtherArchive => (
            "an archive of another kind than gzip and zstd",
            "decompress it first",
        ),
        Lookalike::Pdf => ("a PDF", "export the records as CSV or JSON"),
        Lookalike::Binary => ("a binary file", "export the records as CSV or JSON"),
    }
}

fn token(error: TokenError, value: &Excerpt) -> String {
    let value = quoted(value);
    match error {
        TokenError::Empty => "empty".to_owned(),
        TokenError::Surrounded => format!("white space around the token: {value}"),
        TokenError::OddHex => format!("an odd number of hexadecimal digits: {value}"),
        TokenError::NotHex(at) => format!("no hexadecimal digit at byte {}: {value}", at + 1),
        TokenError::NotBase64(at) => format!("no base64 from byte {} on: {value}", at + 1),
    }
}

fn time(error: TimeError, value: &Excerpt) -> String {
    let what = match error {
        TimeError::Empty => return "empty".to_owned(),
        TimeError::NotInteger => "not a whole number of seconds without sign, point or exponent",
        TimeError::IntegerRange { .. } => "not in 0 to 4294967295",
        TimeError::PartSecond => "milliseconds that are no whole second",
        TimeError::NotTime => "neither Unix seconds nor an RFC 3339 date or time",
        TimeError::NoSuchDate => "no such date or time of day",
        TimeError::LeapSecond => "a leap second, which Unix time does not count",
        TimeError::Fraction => "a fraction of a second",
        TimeError::DateRange => "not from 1970-01-01T00:00:00Z to 2106-02-07T06:28:15Z",
        TimeError::LocalGap => "a local time that its zone's clocks skip",
        TimeError::LocalFold => "a local time that its zone's clocks show twice",
    };
    format!("{what}: {}", quoted(value))
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Token => "device token",
        Field::Time => "expire time",
    }
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

fn quoted(excerpt: &Excerpt) -> String {
    format!("\"{}\"", excerpt.as_str())
}

/// No more names than a person reads.
const NAMES_SHOWN: usize = 20;

fn list(names: &[Excerpt]) -> String {
    let mut shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(quoted).collect();
    if names.len() > NAMES_SHOWN {
        shown.push(format!("and {} more", names.len() - NAMES_SHOWN));
    }
    if shown.is_empty() {
        return "none".to_owned();
    }
    shown.join(", ")
}
