//! The names of the columns or keys that hold the fields of a record.

use super::{
    excerpt::Excerpt,
    options::{FieldSelector, InputOptions},
    problem::{Field, ProblemKind},
};

const DEFAULT_TOKEN_NAMES: [&str; 4] = ["device_token", "deviceToken", "DeviceToken", "token"];
const DEFAULT_TIME_NAMES: [&str; 3] = ["expire_time", "expireTime", "ExpireTime"];

/// The Jaro-Winkler similarity (from 0 to 1) above which an unknown name is probably a misspelled
/// name of a field.
const MIN_SIMILARITY: f64 = 0.8;

/// The names that each field may have.
#[derive(Clone, Debug)]
pub(super) struct FieldNames {
    token: Vec<String>,
    time: Vec<String>,
}

/// A name that a field may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldName<'n> {
    pub(super) field: Field,
    pub(super) name: &'n str,
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

    /// Returns whether the field is used.
    pub(super) fn is_used(&self, field: Field) -> bool {
        !self.names_of(field).is_empty()
    }

    /// Returns all names of the field.
    pub(super) fn names_of(&self, field: Field) -> &[String] {
        match field {
            Field::Token => &self.token,
            Field::Time => &self.time,
        }
    }

    /// Returns the field with this name, or `None` if no field has this name.
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

    /// Returns the problem that no name of the field occurs in `found`, the names of all columns or
    /// keys.
    pub(super) fn missing(&self, field: Field, found: &[&str]) -> ProblemKind {
        ProblemKind::MissingField {
            field,
            wanted: self.names_of(field).to_vec(),
            found: found.iter().map(|name| Excerpt::from_name(name)).collect(),
            nearest: self
                .nearest(field, found)
                .map(Excerpt::from_name)
                .filter(Excerpt::is_whole),
        }
    }

    /// Returns the name in `found` that is probably a misspelled name of the field, or `None` if no
    /// name is similar enough.
    fn nearest<'f>(&self, field: Field, found: &[&'f str]) -> Option<&'f str> {
        let similarity = |name: &str| {
            let name = name.trim().to_lowercase();
            self.names_of(field)
                .iter()
                .map(|wanted| strsim::jaro_winkler(&wanted.to_lowercase(), &name))
                .fold(0.0, f64::max)
        };
        found
            .iter()
            .filter(|name| self.find(name.as_bytes()).is_none())
            .map(|name| (similarity(name), *name))
            .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
            .max_by(|(left, _), (right, _)| left.total_cmp(right))
            .map(|(_, name)| name)
    }
}
