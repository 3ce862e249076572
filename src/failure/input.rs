//! What is wrong with an input, in words.

use std::fmt::Write as _;

use super::{Failure, INPUT, Kind, count};
use crate::{
    record::{TimeError, TokenError},
    source::{
        Class, Counts, Excerpt, Field, JsonKind, LARGEST_RECORD, Lookalike, Position, Problem,
        ProblemKind,
    },
};

impl Failure {
    /// Input that was refused: every problem that is shown is a cause.
    pub(crate) fn refused(counts: &Counts, problems: &[Problem]) -> Self {
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
        let message = match (counts.invalid, counts.documents) {
            (0, _) => inputs,
            (_, 0) => records,
            (_, _) => format!("{inputs}, {records}"),
        };
        let message = format!("{message}; nothing was sent");
        let mut failure = Self::new(Kind::Input, INPUT, message);
        failure.causes = problems.iter().map(sentence).collect();
        let all = counts.invalid + counts.documents;
        let hidden = all.saturating_sub(problems.len() as u64);
        if hidden > 0 {
            failure = failure.cause(format!("and {hidden} more"));
        }
        let hint = if hidden > 0 {
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

    /// An input that is no longer what was validated.
    pub(crate) fn changed(problem: &Problem) -> Self {
        Self::new(
            Kind::Input,
            INPUT,
            "the input changed after it was validated; nothing more was sent",
        )
        .cause(sentence(problem))
        .hint("run it again when nobody writes the file any more")
    }
}

fn by_class(counts: &Counts) -> String {
    let words = counts.by_class.iter().map(|(class, number)| match class {
        Class::Document => None,
        Class::Shape => Some(format!("{number} malformed")),
        Class::Token => Some(count(*number, "bad token")),
        Class::Time => Some(count(*number, "bad time")),
        Class::Duplicate => Some(count(*number, "conflicting duplicate")),
        Class::Size => Some(format!("{number} too large")),
    });
    words.flatten().collect::<Vec<_>>().join(", ")
}

/// What is odd about an input that was taken all the same.
pub(crate) fn warnings(counts: &Counts) -> Vec<String> {
    let mut warnings = Vec::new();
    if counts.past > 0 {
        warnings.push(format!("{} expire times have already passed", counts.past));
    }
    if counts.duplicate > 0 {
        warnings.push(format!(
            "{} left out that came before, the very same",
            count(counts.duplicate, "record")
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
    let (what, hint) = words(&problem.kind);
    let _ = write!(text, ": {what}");
    if let Some(hint) = hint {
        let _ = write!(text, " (hint: {hint})");
    }
    text
}

fn place(at: Position) -> String {
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

type Words = (String, Option<String>);

fn words(kind: &ProblemKind) -> Words {
    let plain = |text: &str| (text.to_owned(), None);
    match kind {
        ProblemKind::Unreadable(error) => (format!("can't be read: {error}"), None),
        ProblemKind::Directory => plain("is a directory, not a file"),
        ProblemKind::Lookalike(lookalike) => looks_like(*lookalike),
        ProblemKind::Changed => plain("changed while it was read"),
        ProblemKind::Syntax(message) => (format!("malformed JSON: {message}"), None),
        ProblemKind::Truncated => (
            "the document ends inside a value or an open quote".to_owned(),
            Some("the file is cut off, or a quote is never closed".to_owned()),
        ),
        ProblemKind::TooLong => (
            format!("the record is longer than {} MiB", LARGEST_RECORD >> 20),
            Some("a quote or bracket may never be closed".to_owned()),
        ),
        ProblemKind::NoList { found, keys, lists } => no_list(*found, keys, *lists),
        ProblemKind::NoPointer => (
            "--records leads nowhere in this document".to_owned(),
            Some("it is a JSON Pointer, such as /data/licenses".to_owned()),
        ),
        ProblemKind::SecondDocument => (
            "more JSON follows behind the document".to_owned(),
            Some("--input-format ndjson reads one object a line".to_owned()),
        ),
        ProblemKind::MissingField {
            field,
            wanted,
            found,
            nearest,
        } => missing_field(*field, wanted, found, nearest.as_ref()),
        ProblemKind::NoHeader => (
            "the first row looks like a record, not like the names of columns".to_owned(),
            Some("--no-header reads a file without names".to_owned()),
        ),
        ProblemKind::NoColumn {
            field,
            number,
            width,
        } => (
            format!(
                "no column {number} for the {}: there are {width}",
                field_name(*field)
            ),
            Some("columns are counted from 1".to_owned()),
        ),
        ProblemKind::Spellings { first, second } => (
            format!("{first} and {second} are names of one field"),
            Some(format!(
                "name the one that counts with {}",
                "--token-field or --time-field"
            )),
        ),
        ProblemKind::Ragged { expected, found } => (
            format!(
                "{} where the first row has {expected}",
                count(*found as u64, "column")
            ),
            None,
        ),
        ProblemKind::LoneCarriageReturn => (
            "a carriage return without a line feed".to_owned(),
            Some("save the file with line ends of LF or CRLF".to_owned()),
        ),
        ProblemKind::BareQuote => (
            "a quote that neither starts nor ends a field".to_owned(),
            Some("quote the whole field and double the quotes in it".to_owned()),
        ),
        ProblemKind::Nul => plain("a NUL byte"),
        ProblemKind::NotUtf8 { name } => (
            format!("{name}: not UTF-8"),
            Some("save the file as UTF-8, or write such tokens in hex or base64".to_owned()),
        ),
        ProblemKind::NotObject { found } => (
            format!("{} where an object belongs", json_kind(*found)),
            None,
        ),
        ProblemKind::WrongType { field, name, found } => wrong_type(*field, name, *found),
        ProblemKind::DuplicateKey(name) => (format!("the key {} comes twice", quoted(name)), None),
        ProblemKind::Token { name, error, value } => token(name, *error, value),
        ProblemKind::Time { name, error, value } => time(name, *error, value),
        ProblemKind::Conflict {
            token,
            first_file,
            first,
        } => (
            format!(
                "the token {token} came before with another time, in {first_file}, {}",
                place(*first)
            ),
            None,
        ),
        ProblemKind::TooLarge { bytes, limit } => (
            format!("the record takes {bytes} bytes of a request, --batch-bytes allows {limit}"),
            None,
        ),
    }
}

fn looks_like(lookalike: Lookalike) -> Words {
    let (what, hint) = match lookalike {
        Lookalike::Utf16 => ("UTF-16 text", "save it as UTF-8"),
        Lookalike::Zip => (
            "a zip archive, as spreadsheets (XLSX, ODS) are",
            "save the sheet as CSV in UTF-8",
        ),
        Lookalike::Xls => (
            "a spreadsheet of the old XLS kind",
            "save the sheet as CSV in UTF-8",
        ),
        Lookalike::Pdf => ("a PDF", "export the records as CSV or JSON"),
        Lookalike::Gzip => ("a gzip archive", "decompress it first"),
        Lookalike::Zstd => ("a zstd archive", "decompress it first"),
        Lookalike::Binary => ("a binary file", "export the records as CSV or JSON"),
    };
    (format!("looks like {what}"), Some(hint.to_owned()))
}

fn no_list(found: JsonKind, keys: &[Excerpt], lists: usize) -> Words {
    if found != JsonKind::Object {
        return (
            format!("{} where a list of records belongs", json_kind(found)),
            None,
        );
    }
    let keys = list(keys);
    match lists {
        0 => (
            format!(
                "the document has neither a list nor both fields of a record; its keys: {keys}"
            ),
            None,
        ),
        _ => (
            format!("the document has {lists} lists; its keys: {keys}"),
            None,
        ),
    }
}

fn missing_field(
    field: Field,
    wanted: &[String],
    found: &[Excerpt],
    nearest: Option<&Excerpt>,
) -> Words {
    let flag = match field {
        Field::Token => "--token-field",
        Field::Time => "--time-field",
    };
    let what = format!(
        "no {} ({}); found: {}",
        field_name(field),
        wanted.join(", "),
        list(found)
    );
    let hint = match nearest {
        Some(name) => format!("{flag} {}", quoted(name)),
        None => format!("{flag} NAME names it"),
    };
    (what, Some(hint))
}

fn wrong_type(field: Field, name: &str, found: JsonKind) -> Words {
    let (wanted, hint) = match field {
        Field::Token => (
            "a string",
            (found == JsonKind::Number).then(|| "put the token in quotes".to_owned()),
        ),
        Field::Time => ("a number or a string", None),
    };
    (
        format!("{name}: {} where {wanted} belongs", json_kind(found)),
        hint,
    )
}

fn token(name: &str, error: TokenError, value: &Excerpt) -> Words {
    let value = quoted(value);
    match error {
        TokenError::Empty => (format!("{name}: empty"), None),
        TokenError::Surrounded => (
            format!("{name}: white space around the token: {value}"),
            None,
        ),
        TokenError::OddHex => (
            format!("{name}: an odd number of hexadecimal digits: {value}"),
            None,
        ),
        TokenError::NotHex(at) => (
            format!("{name}: no hexadecimal digit at byte {}: {value}", at + 1),
            Some("--token-encoding says how tokens are written".to_owned()),
        ),
        TokenError::NotBase64(at) => (
            format!("{name}: no base64 from byte {} on: {value}", at + 1),
            Some("--token-encoding says how tokens are written".to_owned()),
        ),
    }
}

fn time(name: &str, error: TimeError, value: &Excerpt) -> Words {
    let (what, hint) = match error {
        TimeError::Empty => return (format!("{name}: empty"), None),
        TimeError::NotInteger => (
            "not a whole number of seconds without sign, point or exponent",
            None,
        ),
        TimeError::IntegerRange { milliseconds: true } => (
            "not in 0 to 4294967295",
            Some("--time-unit ms, if these are milliseconds"),
        ),
        TimeError::IntegerRange {
            milliseconds: false,
        } => ("not in 0 to 4294967295", None),
        TimeError::PartSecond => ("milliseconds that are no whole second", None),
        TimeError::NotTime => (
            "neither Unix seconds nor an RFC 3339 date or time",
            Some("such as 1798675200, 2026-12-31 or 2026-12-31T00:00:00Z"),
        ),
        TimeError::NoSuchDate => ("no such date or time of day", None),
        TimeError::LeapSecond => ("a leap second, which Unix time does not count", None),
        TimeError::Fraction => ("a fraction of a second", None),
        TimeError::DateRange => (
            "not from 1970-01-01T00:00:00Z to 2106-02-07T06:28:15Z",
            None,
        ),
        TimeError::LocalGap => (
            "a local time that its zone's clocks skip",
            Some("write it with its offset, such as +01:00"),
        ),
        TimeError::LocalFold => (
            "a local time that its zone's clocks show twice",
            Some("write it with its offset, such as +01:00"),
        ),
    };
    (
        format!("{name}: {what}: {}", quoted(value)),
        hint.map(ToOwned::to_owned),
    )
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
