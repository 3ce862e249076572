//! The two fields of a record: the names of their columns or keys, and their parser.

use std::borrow::Cow;

use super::{
    excerpt::Excerpt,
    options::{FieldSelector, InputOptions},
    problem::{Field, ProblemKind},
};
use crate::record::{ExpireTime, TimeRange, TimeRules, Token, TokenEncoding};

const DEFAULT_TOKEN_NAMES: [&str; 4] = ["device_token", "deviceToken", "DeviceToken", "token"];
const DEFAULT_TIME_NAMES: [&str; 3] = ["expire_time", "expireTime", "ExpireTime"];

/// The Jaro-Winkler similarity above which an unknown name is probably a misspelled one.
const MIN_SIMILARITY: f64 = 0.8;

#[derive(Clone, Debug)]
pub(super) struct FieldNames {
    token: Vec<String>,
    time: Vec<String>,
}

pub(super) struct NameError {
    pub(super) index: Option<usize>,
    pub(super) kind: ProblemKind,
}

impl FieldNames {
    pub(super) fn new(options: &InputOptions) -> Self {
        let names = |selector: &FieldSelector, default_names: &[&str]| match selector {
            FieldSelector::DefaultNames => default_names.iter().map(ToString::to_string).collect(),
            FieldSelector::Name(name) => vec![name.clone()],
            FieldSelector::Unused => Vec::new(),
        };
        Self {
            token: names(&options.token_field, &DEFAULT_TOKEN_NAMES),
            time: names(&options.time_field, &DEFAULT_TIME_NAMES),
        }
    }

    pub(super) fn is_used(&self, field: Field) -> bool {
        !self.names_of(field).is_empty()
    }

    pub(super) fn names_of(&self, field: Field) -> &[String] {
        match field {
            Field::Token => &self.token,
            Field::Time => &self.time,
        }
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<Field> {
        let has_name = |field: &Field| {
            let mut names = self.names_of(*field).iter();
            names.any(|known| known.as_bytes() == name)
        };
        [Field::Token, Field::Time].into_iter().find(has_name)
    }

    pub(super) fn locate<'f>(
        &self,
        field: Field,
        found: impl Iterator<Item = &'f str> + Clone,
    ) -> Result<usize, NameError> {
        let mut matching = found
            .clone()
            .enumerate()
            .filter(|(_, name)| self.names_of(field).iter().any(|known| known == name));
        let is_free = |name: &str| self.find(name.as_bytes()).is_none();
        let kind = match (matching.next(), matching.next()) {
            (Some((index, _)), None) => return Ok(index),
            (Some((_, first)), Some((index, second))) => {
                let kind = if first == second {
                    ProblemKind::DuplicateName(Excerpt::from_text(first))
                } else {
                    ProblemKind::AmbiguousField {
                        field,
                        first: first.to_owned(),
                        second: second.to_owned(),
                    }
                };
                return Err(NameError {
                    index: Some(index),
                    kind,
                });
            }
            (None, _) => ProblemKind::MissingField {
                field,
                wanted: self.names_of(field).to_vec(),
                suggested_name: match self.nearest(field, found.clone()) {
                    None => found.clone().any(is_free).then(|| "NAME".to_owned()),
                    Some(name) => Excerpt::shows_exactly(name).then(|| name.to_owned()),
                },
                found: found.map(Excerpt::from_text).collect(),
                delimiter: None,
            },
        };
        Err(NameError { index: None, kind })
    }

    fn nearest<'f>(&self, field: Field, found: impl Iterator<Item = &'f str>) -> Option<&'f str> {
        let similarity = |name: &str| {
            let name = name.trim().to_lowercase();
            self.names_of(field)
                .iter()
                .map(|wanted| strsim::jaro_winkler(&wanted.to_lowercase(), &name))
                .fold(0.0, f64::max)
        };
        found
            .filter(|name| self.find(name.as_bytes()).is_none() && Excerpt::shows_whole(name))
            .map(|name| (similarity(name), name))
            .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
            .max_by(|(left, _), (right, _)| left.total_cmp(right))
            .map(|(_, name)| name)
    }
}

pub(super) fn find_duplicate<'n>(names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut sorted: Vec<_> = names.collect();
    sorted.sort_unstable();
    let pair = sorted.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(pair[0])
}

/// The parameter `name` of the methods is the name of the column or key for error messages.
#[derive(Clone)]
pub(super) struct FieldParser<'o> {
    pub(super) names: FieldNames,
    pub(super) token_encoding: TokenEncoding,
    time_rules: &'o TimeRules,
    pub(super) time_range: TimeRange,
}

impl<'o> FieldParser<'o> {
    /// The JSON mapping of protobuf encodes `bytes` in Base64.
    pub(super) fn new(options: &'o InputOptions, is_protobuf: bool) -> Self {
        Self {
            names: FieldNames::new(options),
            token_encoding: if is_protobuf {
                TokenEncoding::Base64
            } else {
                options.token_encoding
            },
            time_rules: &options.time_rules,
            time_range: options.time_range,
        }
    }

    pub(super) fn token<'t>(
        &self,
        text: Cow<'t, [u8]>,
        name: &str,
    ) -> Result<Token<'t>, ProblemKind> {
        Self::encoded_token(text, self.token_encoding, name)
    }

    pub(super) fn encoded_token<'t>(
        text: Cow<'t, [u8]>,
        encoding: TokenEncoding,
        name: &str,
    ) -> Result<Token<'t>, ProblemKind> {
        let value = text.clone();
        Token::parse(text, encoding).map_err(|error| ProblemKind::InvalidToken {
            name: name.to_owned(),
            error,
            value: Excerpt::from_token(&String::from_utf8_lossy(&value)),
        })
    }

    pub(super) fn time(&self, text: &[u8], name: &str) -> Result<ExpireTime, ProblemKind> {
        let time = self.time_rules.parse(text);
        time.and_then(|time| self.time_range.check(time))
            .map_err(|error| ProblemKind::InvalidTime {
                name: name.to_owned(),
                error,
                value: Excerpt::from_text(&String::from_utf8_lossy(text)),
            })
    }
}
