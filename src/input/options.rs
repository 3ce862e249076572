//! How an input is to be read.

use jiff::tz::TimeZone;

use super::problem::{Excerpt, Field, ProblemKind};
use crate::record::{TimeRules, TimeUnit, TokenEncoding};

/// A format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// RFC 4180.
    Csv,
    /// The same with tabs.
    Tsv,
    /// One document (RFC 8259): a list of records, an object with one, or one record.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// The request message in protobuf's JSON mapping: its tokens are base64.
    ProtoJson,
}

/// Where a field is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldSelector {
    /// Under any of the usual names.
    DefaultNames,
    /// Under this header or key.
    Name(String),
    /// In this column of a CSV file, counted from 1; in JSON, under this key.
    Column(usize),
    /// Nowhere: only the other field is wanted. Of the expire time alone, which is 0 then.
    Unused,
}

/// How an input is to be read.
#[derive(Clone, Debug)]
pub(crate) struct InputOptions {
    /// `None`: found out by the name, then by the first bytes.
    pub(crate) format: Option<InputFormat>,
    pub(crate) token: FieldSelector,
    pub(crate) time: FieldSelector,
    /// Whether a CSV file's first row names its columns.
    pub(crate) header: bool,
    /// Between the columns of a CSV file; `None` for the format's own.
    pub(crate) delimiter: Option<u8>,
    pub(crate) token_encoding: TokenEncoding,
    pub(crate) time_rules: TimeRules,
    /// Where a JSON document has its list of records.
    pub(crate) records: Option<JsonPointer>,
}

impl Default for InputOptions {
    /// What is read without any flag.
    fn default() -> Self {
        Self {
            format: None,
            token: FieldSelector::DefaultNames,
            time: FieldSelector::DefaultNames,
            header: true,
            delimiter: None,
            token_encoding: TokenEncoding::Utf8,
            time_rules: TimeRules {
                unit: TimeUnit::Seconds,
                zone: TimeZone::UTC,
            },
            records: None,
        }
    }
}

/// The steps of a JSON Pointer (RFC 6901) from the root.
pub(crate) type JsonPointer = Vec<String>;

const TOKEN_NAMES: [&str; 4] = ["device_token", "deviceToken", "DeviceToken", "token"];
const TIME_NAMES: [&str; 3] = ["expire_time", "expireTime", "ExpireTime"];

/// The names that a field goes by in one input.
#[derive(Clone, Debug)]
pub(super) struct Names {
    token: Vec<String>,
    time: Vec<String>,
}

impl Names {
    pub(super) fn new(options: &InputOptions) -> Self {
        let names = |field: &FieldSelector, usual: &[&str]| match field {
            FieldSelector::DefaultNames => usual.iter().map(ToString::to_string).collect(),
            FieldSelector::Name(name) => vec![name.clone()],
            FieldSelector::Column(number) => vec![number.to_string()],
            FieldSelector::Unused => Vec::new(),
        };
        Self {
            token: names(&options.token, &TOKEN_NAMES),
            time: names(&options.time, &TIME_NAMES),
        }
    }

    /// Whether the field is to be found at all.
    pub(super) fn wants(&self, field: Field) -> bool {
        !self.of(field).is_empty()
    }

    pub(super) fn of(&self, field: Field) -> &[String] {
        match field {
            Field::Token => &self.token,
            Field::Time => &self.time,
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<Field> {
        self.field_of(name.as_bytes()).map(|(field, _)| field)
    }

    /// The field with this name, and the name as text.
    pub(super) fn field_of(&self, name: &[u8]) -> Option<(Field, &str)> {
        [Field::Token, Field::Time].into_iter().find_map(|field| {
            let mut names = self.of(field).iter();
            let known = names.find(|known| known.as_bytes() == name)?;
            Some((field, known.as_str()))
        })
    }

    /// That `field` has no column or key, with those there are.
    pub(super) fn missing(&self, field: Field, found: &[&str]) -> ProblemKind {
        ProblemKind::MissingField {
            field,
            wanted: self.of(field).to_vec(),
            found: found.iter().map(|name| Excerpt::of_name(name)).collect(),
            nearest: self
                .nearest(field, found)
                .map(Excerpt::of_name)
                .filter(Excerpt::is_whole),
        }
    }

    /// The one of `found` that was probably meant for `field`.
    fn nearest<'f>(&self, field: Field, found: &[&'f str]) -> Option<&'f str> {
        found
            .iter()
            .filter(|name| self.field(name).is_none())
            .map(|name| {
                let similarity = self
                    .of(field)
                    .iter()
                    .map(|wanted| {
                        strsim::jaro_winkler(&wanted.to_lowercase(), &name.trim().to_lowercase())
                    })
                    .fold(0.0, f64::max);
                (similarity, *name)
            })
            .filter(|(similarity, _)| *similarity > 0.8)
            .max_by(|(left, _), (right, _)| left.total_cmp(right))
            .map(|(_, name)| name)
    }
}
