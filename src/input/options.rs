//! Options of reading: the format, and where a record has its fields.

use jiff::tz::TimeZone;

use crate::record::{TimeRules, TimeUnit, TokenEncoding};

/// A format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// The same with tabs as delimiters.
    Tsv,
    /// One JSON document (RFC 8259): an array of records, an object with such an array, or one
    /// record.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// The request message in protobuf's JSON mapping, in which tokens are base64.
    ProtoJson,
}

/// The column or key of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldSelector {
    /// The one with any of the default names.
    DefaultNames,
    /// The one with this name.
    Name(String),
    /// The CSV column with this number, from 1. In JSON, the key with this text.
    Column(usize),
    /// None, because the field is not needed. Only the expiration time can be unused, and is 0 then.
    Unused,
}

/// Options for reading all inputs.
#[derive(Clone, Debug)]
pub(crate) struct InputOptions {
    /// `None` detects the format from the name of the file, and then from the first bytes.
    pub(crate) format: Option<InputFormat>,
    pub(crate) token_field: FieldSelector,
    pub(crate) time_field: FieldSelector,
    /// Whether the first row of a CSV file names the columns.
    pub(crate) has_header: bool,
    /// The delimiter of CSV columns; `None` is the one of the format.
    pub(crate) delimiter: Option<u8>,
    pub(crate) token_encoding: TokenEncoding,
    pub(crate) time_rules: TimeRules,
    /// The location of the array of records in a JSON document.
    pub(crate) records_pointer: Option<JsonPointer>,
}

impl Default for InputOptions {
    /// The options that a command without any option reads by.
    fn default() -> Self {
        Self {
            format: None,
            token_field: FieldSelector::DefaultNames,
            time_field: FieldSelector::DefaultNames,
            has_header: true,
            delimiter: None,
            token_encoding: TokenEncoding::Utf8,
            time_rules: TimeRules {
                unit: TimeUnit::Seconds,
                zone: TimeZone::UTC,
            },
            records_pointer: None,
        }
    }
}

/// The reference tokens of a JSON Pointer (RFC 6901), unescaped.
pub(crate) type JsonPointer = Vec<String>;
