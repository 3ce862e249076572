//! The options of input: files, formats, fields and guards.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::super::values::{self, Choice};
use crate::{
    input::{self, DuplicatePolicy, InputFormat},
    record::{TimeFormat, TimeUnit, TokenEncoding},
};

/// `None` stands for `auto`.
type FormatChoice = Option<InputFormat>;

const FORMATS: [Choice<FormatChoice>; 6] = [
    ("auto", "Use the file name, then the content", None),
    ("csv", "Comma-separated values", Some(InputFormat::Csv)),
    ("tsv", "Tab-separated values", Some(InputFormat::Tsv)),
    (
        "json",
        "A JSON array of records, or an object that contains the array",
        Some(InputFormat::Json),
    ),
    (
        "ndjson",
        "JSON objects one after the other, usually one per line",
        Some(InputFormat::Ndjson),
    ),
    (
        "protojson",
        "The request in the JSON mapping of protobuf",
        Some(InputFormat::ProtoJson),
    ),
];

pub(super) const TOKEN_ENCODINGS: [Choice<TokenEncoding>; 3] = [
    ("utf8", "The text itself", TokenEncoding::Utf8),
    ("hex", "Hexadecimal, without separators", TokenEncoding::Hex),
    (
        "base64",
        "Standard or URL-safe base64",
        TokenEncoding::Base64,
    ),
];

const TIME_UNITS: [Choice<TimeUnit>; 2] = [
    ("s", "Unix seconds", TimeUnit::Seconds),
    ("ms", "Unix milliseconds", TimeUnit::Milliseconds),
];

const DUPLICATE_POLICIES: [Choice<DuplicatePolicy>; 4] = [
    ("error", "Refuse the input", DuplicatePolicy::Error),
    ("first", "Use the first record", DuplicatePolicy::First),
    ("last", "Use the last record", DuplicatePolicy::Last),
    (
        "latest",
        "Use the record with the latest time",
        DuplicatePolicy::Latest,
    ),
];

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct FormatArgs {
    /// Read the input in this format
    ///
    /// A file that is compressed with gzip or zstd is decompressed.
    #[arg(
        long, value_name = "FORMAT", default_value = "auto", value_parser = values::one_of(&FORMATS)
    )]
    pub(in crate::cli) input_format: FormatChoice,

    /// Read tokens from this CSV column or JSON key
    ///
    /// A number is a CSV column, counted from 1, if no header has this name. Default: device_token,
    /// deviceToken, DeviceToken or token.
    #[arg(
        long, value_name = "NAME", value_hint = ValueHint::Other,
        value_parser = values::parse_field_selector
    )]
    pub(in crate::cli) token_field: Option<input::FieldSelector>,

    /// Read CSV files without a header row
    ///
    /// Tokens are in column 1 and expiration times in column 2, unless --token-field or --time-field
    /// is another number.
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) no_header: bool,

    /// Split CSV rows at this character
    ///
    /// One ASCII character, or tab. Default: a comma, in TSV files a tab.
    #[arg(
        long, value_name = "C", value_hint = ValueHint::Other,
        value_parser = values::parse_delimiter
    )]
    pub(in crate::cli) delimiter: Option<u8>,

    /// Read the JSON array of records at this JSON Pointer
    ///
    /// Default: the document itself, or the only array among its members.
    ///
    /// Example: --records /data/licenses
    #[arg(
        long, value_name = "POINTER", value_hint = ValueHint::Other, hide_short_help = true,
        value_parser = values::parse_json_pointer
    )]
    pub(in crate::cli) records: Option<input::JsonPointer>,

    /// Decode tokens from this encoding
    ///
    /// Device tokens in protojson are always base64.
    #[arg(
        long, value_name = "ENC", default_value = "utf8",
        value_parser = values::one_of(&TOKEN_ENCODINGS)
    )]
    pub(in crate::cli) token_encoding: TokenEncoding,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct InputArgs {
    /// Read these files, or standard input if FILE is - or omitted
    ///
    /// Each record has a device token and an expiration time. If one record is invalid, nothing is
    /// sent. Files that are compressed with gzip or zstd are decompressed.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = None)]
    pub(in crate::cli) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) format: FormatArgs,

    /// Read times from this CSV column or JSON key
    ///
    /// A number is a CSV column, counted from 1, if no header has this name. Default: expire_time,
    /// expireTime or ExpireTime.
    #[arg(
        long, value_name = "NAME", value_hint = ValueHint::Other,
        value_parser = values::parse_field_selector
    )]
    pub(in crate::cli) time_field: Option<input::FieldSelector>,

    /// Read numeric times in this unit
    #[arg(
        long, value_name = "UNIT", default_value = "s", hide_short_help = true,
        value_parser = values::one_of(&TIME_UNITS)
    )]
    pub(in crate::cli) time_unit: TimeUnit,

    /// Read times without an offset in this time zone
    ///
    /// An IANA name such as Europe/Berlin, an offset such as +02:00, or local.
    #[arg(
        long, value_name = "TZ", value_hint = ValueHint::Other, default_value = "UTC",
        allow_hyphen_values = true, value_parser = values::parse_time_zone
    )]
    pub(in crate::cli) timezone: jiff::tz::TimeZone,

    /// Read text times in this strptime format; repeatable
    ///
    /// The formats are tried in this order, and then Unix seconds and RFC 3339.
    ///
    /// Example: --time-format %d.%m.%Y
    #[arg(
        long, value_name = "FORMAT", value_hint = ValueHint::Other, hide_short_help = true,
        value_parser = values::parse_time_format
    )]
    pub(in crate::cli) time_format: Vec<TimeFormat>,

    /// Read a date without a time as 23:59:59 of that day, not as 00:00:00
    ///
    /// The day is in --timezone.
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) end_of_day: bool,

    /// Refuse expiration times before WHEN, except 0
    ///
    /// WHEN is written like a time in the input. With 0, all times are allowed. Default: 1980-01-01.
    #[arg(long, value_name = "WHEN", value_hint = ValueHint::Other, hide_short_help = true)]
    pub(in crate::cli) earliest: Option<String>,

    /// Refuse expiration times after WHEN
    ///
    /// WHEN is written like a time in the input. Default: no limit.
    #[arg(long, value_name = "WHEN", value_hint = ValueHint::Other, hide_short_help = true)]
    pub(in crate::cli) latest: Option<String>,

    /// Use this rule for a token with different times
    ///
    /// A repeated record with the same time is sent once, with a warning.
    #[arg(
        long, value_name = "RULE", default_value = "error", hide_short_help = true,
        value_parser = values::one_of(&DUPLICATE_POLICIES)
    )]
    pub(in crate::cli) on_duplicate: DuplicatePolicy,

    /// Refuse expiration times in the past, instead of printing a warning
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) refuse_past: bool,

    /// Refuse an input with fewer than N records
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(in crate::cli) min_records: Option<u64>,

    /// Refuse an input with more than N records
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(in crate::cli) max_records: Option<u64>,

    /// Refuse an empty input
    ///
    /// Without this option, an empty input causes a note, and the exit code is 0.
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) fail_on_empty: bool,

    /// Show at most N problems of the input; all are counted
    #[arg(long, value_name = "N", default_value_t = 20, hide_short_help = true)]
    pub(in crate::cli) max_errors: usize,
}
