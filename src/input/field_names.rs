//! The names of the columns or keys that hold the fields of a record.

use super::{
    excerpt::Excerpt,
    options::{FieldSelector, InputOptions},
    problem_kind::{Field, ProblemKind},
};

const DEFAULT_TOKEN_NAMES: [&str; 4] = ["device_token", "deviceToken", "DeviceToken", "token"];
const DEFAULT_TIME_NAMES: [&str; 3] = ["expire_time", "expireTime", "ExpireTime"];

/// The Jaro-Winkler similarity above which an unknown name is probably a misspelled one.
const MIN_SIMILARITY: f64 = 0.8;

#[derive(Clone, Debug)]
pub(super) struct FieldNames {
    token: Vec<String>,
    time: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldName<'n> {
    pub(super) field: Field,
    pub(super) name: &'n str,
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
            FieldSelector::Column(number) => vec![number.to_string()],
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

    pub(super) fn find(&self, name: &[u8]) -> Option<FieldName<'_>> {
        [Field::Token, Field::Time].into_iter().find_map(|field| {
            let mut names = self.names_of(field).iter();
            let known = names.find(|known| known.as_bytes() == name)?;
            Some(FieldName {
                field,
                name: known.as_str(),
            })
        })
    }

    /// Returns the index of the only name in `found` that is a name of the field.
    pub(super) fn locate<'f>(
        &self,
        field: Field,
        found: impl Iterator<Item = &'f str> + Clone,
    ) -> Result<usize, NameError> {
        let mut matching = found
            .clone()
            .enumerate()
            .filter(|(_, name)| self.names_of(field).iter().any(|known| known == name));
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
                nearest: self.nearest(field, found.clone()).map(ToOwned::to_owned),
                found: found.map(Excerpt::from_text).collect(),
            },
        };
        Err(NameError { index: None, kind })
    }

    /// Returns the name in `found` that is probably a misspelled name of the field and can be shown.
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

/// Returns a name that occurs more than once.
pub(super) fn find_duplicate<'n>(names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut sorted: Vec<_> = names.collect();
    sorted.sort_unstable();
    let pair = sorted.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(pair[0])
}
