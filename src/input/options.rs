//! Input options, and limits on the lengths of records.

use std::sync::LazyLock;

use crate::record::{TimeRange, TimeRules, TokenEncoding};

pub(crate) const MAX_RECORD_BYTES: usize = 1 << 20;

/// The maximum length of a line without its line feed: the longest record and a carriage return.
pub(super) const MAX_LINE_BYTES: usize = MAX_RECORD_BYTES + 1;

/// The maximum length of a row that `--rejects` writes. Base64 and doubled quotes make a row longer
/// than its record in the input, and the reason is added.
const MAX_REJECTS_ROW_BYTES: usize = 3 * MAX_RECORD_BYTES;

/// The maximum length of a line that is skipped as one invalid record. A longer line may be endless.
pub(super) const MAX_SKIPPED_BYTES: usize = 64 * MAX_RECORD_BYTES;

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// Tab-separated values: CSV with a tab as the delimiter.
    Tsv,
    /// One JSON document (RFC 8259): an array of records, an object that contains an array of
    /// records, or a single record.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// The request message in the JSON mapping of protobuf, which encodes tokens in Base64.
    ProtoJson,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldSelector {
    DefaultNames,
    /// In CSV, a name of digits that is not in the header row is the number of a column.
    Name(String),
    /// Only the expiration time can be unused. It is 0 in every record then.
    Unused,
}

impl FieldSelector {
    pub(crate) fn column_number(&self) -> Option<usize> {
        match self {
            Self::Name(name) if name.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(name.parse().unwrap_or(usize::MAX))
            }
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct InputOptions {
    /// `None` means that the file name or the bytes of each input determine the format.
    pub(crate) format: Option<InputFormat>,
    pub(crate) token_field: FieldSelector,
    pub(crate) time_field: FieldSelector,
    pub(crate) has_header: bool,
    /// `None` means a comma for CSV, a tab for TSV.
    pub(crate) delimiter: Option<u8>,
    pub(crate) token_encoding: TokenEncoding,
    pub(crate) time_rules: TimeRules,
    pub(crate) time_range: TimeRange,
    /// `None` means that the format detection finds the records.
    pub(crate) records_pointer: Option<JsonPointer>,
    /// The maximum length of a CSV row without its line ending.
    pub(crate) max_row_bytes: usize,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self {
            format: None,
            token_field: FieldSelector::DefaultNames,
            time_field: FieldSelector::DefaultNames,
            has_header: true,
            delimiter: None,
            token_encoding: TokenEncoding::Utf8,
            time_rules: TimeRules::default(),
            time_range: TimeRange::default(),
            records_pointer: None,
            max_row_bytes: MAX_RECORD_BYTES,
        }
    }
}

/// The first line of a file that `--rejects` writes. Such a file is read with
/// [`InputOptions::for_rejects`], whatever the user's options are, except for the range of times.
pub(crate) const REJECTS_HEADER: [&str; 4] =
    ["rejected_token", "encoding", "expire_time", "reason"];

impl InputOptions {
    pub(super) fn for_rejects() -> &'static Self {
        static OPTIONS: LazyLock<InputOptions> = LazyLock::new(|| {
            let [token, _, time, _] = REJECTS_HEADER;
            InputOptions {
                token_field: FieldSelector::Name(token.to_owned()),
                time_field: FieldSelector::Name(time.to_owned()),
                max_row_bytes: MAX_REJECTS_ROW_BYTES,
                ..InputOptions::default()
            }
        });
        &OPTIONS
    }
}

pub(crate) type JsonPointer = Vec<String>;

/// Formats a JSON Pointer (RFC 6901 section 3).
pub(super) fn format_pointer(path: &[String]) -> String {
    path.iter()
        .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// The key of the array of records in the request message (protobuf JSON mapping).
pub(super) const REQUEST_ARRAY_KEY: &str = "sensorExpire";
