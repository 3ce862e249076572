//! The options of input: files, formats, fields and guards.

use std::path::PathBuf;

use clap::Args;

use super::super::values;
use crate::{
    input::{self, DuplicatePolicy, InputFormat},
    record::{TimeFormat, TimeUnit, TokenEncoding},
};

/// `None` stands for `auto`.
type FormatChoice = Option<InputFormat>;

const FORMATS: [(&str, FormatChoice); 6] = [
    ("auto", None),
    ("csv", Some(InputFormat::Csv)),
    ("tsv", Some(InputFormat::Tsv)),
    ("json", Some(InputFormat::Json)),
    ("ndjson", Some(InputFormat::Ndjson)),
    ("protojson", Some(InputFormat::ProtoJson)),
];

pub(super) const TOKEN_ENCODINGS: [(&str, TokenEncoding); 3] = [
    ("utf8", TokenEncoding::Utf8),
    ("hex", TokenEncoding::Hex),
    ("base64", TokenEncoding::Base64),
];

const TIME_UNITS: [(&str, TimeUnit); 2] =
    [("s", TimeUnit::Seconds), ("ms", TimeUnit::Milliseconds)];

const DUPLICATE_POLICIES: [(&str, DuplicatePolicy); 4] = [
    ("error", DuplicatePolicy::Error),
    ("first", DuplicatePolicy::First),
    ("last", DuplicatePolicy::Last),
    ("latest", DuplicatePolicy::Latest),
];

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct FormatArgs {
    /// The format; auto looks at the name, then at the first bytes
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = values::one_of(&FORMATS))]
    pub(in crate::cli) input_format: FormatChoice,

    /// The token's header or key, or its CSV column counted from 1 [default: device_token,
    /// deviceToken, DeviceToken or token]
    #[arg(long, value_name = "NAME", value_parser = values::parse_field_selector)]
    pub(in crate::cli) token_field: Option<input::FieldSelector>,

    /// The CSV has no header: columns 1 and 2 unless others are named by number
    #[arg(long)]
    pub(in crate::cli) no_header: bool,

    /// Between CSV columns: one character, or tab [default: a comma; in TSV a tab]
    #[arg(long, value_name = "C", value_parser = values::parse_delimiter)]
    pub(in crate::cli) delimiter: Option<u8>,

    /// JSON Pointer to the list inside a larger document [default: the document itself, or its
    /// only list]
    #[arg(long, value_name = "POINTER", value_parser = values::parse_json_pointer)]
    pub(in crate::cli) records: Option<input::JsonPointer>,

    /// How text becomes a token's bytes (protobuf JSON is base64 always)
    #[arg(long, value_name = "ENCODING", default_value = "utf8", value_parser = values::one_of(&TOKEN_ENCODINGS))]
    pub(in crate::cli) token_encoding: TokenEncoding,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct InputArgs {
    /// Files of records; - or none is standard input
    #[arg(value_name = "FILE", help_heading = None)]
    pub(in crate::cli) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) format: FormatArgs,

    /// The expire time's header or key, or its CSV column counted from 1 [default: expire_time,
    /// expireTime or ExpireTime]
    #[arg(long, value_name = "NAME", value_parser = values::parse_field_selector)]
    pub(in crate::cli) time_field: Option<input::FieldSelector>,

    /// What numbers count
    #[arg(long, value_name = "UNIT", default_value = "s", value_parser = values::one_of(&TIME_UNITS))]
    pub(in crate::cli) time_unit: TimeUnit,

    /// Read times without an offset in this zone: an IANA name, +02:00 or local
    #[arg(long, value_name = "TZ", default_value = "UTC", allow_hyphen_values = true, value_parser = values::parse_time_zone)]
    pub(in crate::cli) timezone: jiff::tz::TimeZone,

    /// Read text times in this strptime format, such as %d.%m.%Y; repeatable
    #[arg(long, value_name = "FORMAT", value_parser = values::parse_time_format)]
    pub(in crate::cli) time_format: Vec<TimeFormat>,

    /// Read a date without a time of day as 23:59:59 of that day, not as 00:00:00
    #[arg(long)]
    pub(in crate::cli) end_of_day: bool,

    /// Refuse expirations before this time, except 0 [default: 1980-01-01]
    #[arg(long, value_name = "WHEN")]
    pub(in crate::cli) earliest: Option<String>,

    /// Refuse expirations after this time
    #[arg(long, value_name = "WHEN")]
    pub(in crate::cli) latest: Option<String>,

    /// What one token with different times means: an error, or which record counts
    #[arg(long, value_name = "RULE", default_value = "error", value_parser = values::one_of(&DUPLICATE_POLICIES))]
    pub(in crate::cli) on_duplicate: DuplicatePolicy,

    /// A time before now is an error instead of a warning
    #[arg(long)]
    pub(in crate::cli) refuse_past: bool,

    /// Refuse to push fewer records
    #[arg(long, value_name = "N")]
    pub(in crate::cli) min_records: Option<u64>,

    /// Refuse to push more records
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_records: Option<u64>,

    /// Empty input is an error
    #[arg(long)]
    pub(in crate::cli) fail_on_empty: bool,

    /// How many bad records are shown; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(in crate::cli) max_errors: usize,
}
