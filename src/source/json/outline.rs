//! What a document holds, before any of it is read as records.

use std::{
    fmt,
    io::{self, Read},
};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{
    super::problem::{Excerpt, Fault, JsonKind, Position, ProblemKind},
    record,
};

/// What the members of a document's root are.
pub(in crate::source) struct Outline {
    pub(in crate::source) members: Vec<(String, JsonKind)>,
    /// Whether more JSON follows behind the root.
    pub(in crate::source) more: bool,
}

impl Outline {
    /// Reads a whole document whose root is an object or a list.
    pub(in crate::source) fn read<R: Read>(input: R) -> Result<Self, Fault> {
        let mut documents =
            serde_json::Deserializer::from_reader(io::BufReader::with_capacity(64 << 10, input))
                .into_iter::<Members>();
        let members = match documents.next() {
            Some(Ok(members)) => members.0,
            Some(Err(error)) => return Err(syntax_fault(error)),
            None => Vec::new(),
        };
        // A second document that is malformed is one more all the same.
        let more = documents.next().is_some();
        Ok(Self { members, more })
    }

    /// A key that comes twice.
    pub(in crate::source) fn duplicate_key(&self) -> Option<&str> {
        let mut keys: Vec<_> = self.members.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.windows(2)
            .find(|pair| pair[0] == pair[1])
            .map(|pair| pair[0])
    }

    pub(in crate::source) fn has(&self, names: &[String]) -> bool {
        self.members.iter().any(|(key, _)| names.contains(key))
    }

    /// The keys of the members that are lists.
    pub(in crate::source) fn lists(&self) -> Vec<&str> {
        self.members
            .iter()
            .filter(|(_, kind)| *kind == JsonKind::Array)
            .map(|(key, _)| key.as_str())
            .collect()
    }

    /// The keys, as they may be shown: one that maps to a number may be a token.
    pub(in crate::source) fn keys(&self) -> Vec<Excerpt> {
        self.members
            .iter()
            .map(|(key, kind)| match kind {
                JsonKind::Number | JsonKind::Object => Excerpt::of_token(key),
                _ => Excerpt::of_name(key),
            })
            .collect()
    }
}

fn syntax_fault(error: serde_json::Error) -> Fault {
    let at = Position {
        record: 0,
        line: error.line() as u64,
        column: Some(error.column() as u64),
    };
    match error.classify() {
        serde_json::error::Category::Io => Fault::fatal(None, io::Error::from(error).into()),
        serde_json::error::Category::Eof => Fault::fatal(Some(at), ProblemKind::Truncated),
        _ => Fault::fatal(Some(at), ProblemKind::Syntax(record::message(&error))),
    }
}

/// The keys of an object, with the kinds of their values.
struct Members(Vec<(String, JsonKind)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a list")
            }

            // A list has none, but is looked through all the same.
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Members, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Members(Vec::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(key) = map.next_key()? {
                    members.push((key, map.next_value::<Passed>()?.0));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_any(MembersVisitor)
    }
}

/// A value that was read past, and its kind.
struct Passed(JsonKind);

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PassedVisitor;

        impl<'de> Visitor<'de> for PassedVisitor {
            type Value = Passed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Passed, E> {
                Ok(Passed(JsonKind::Null))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Passed, E> {
                Ok(Passed(JsonKind::Bool))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Passed, E> {
                Ok(Passed(JsonKind::Number))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Passed, E> {
                Ok(Passed(JsonKind::Number))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Passed, E> {
                Ok(Passed(JsonKind::Number))
            }

            fn visit_str<E>(self, _: &str) -> Result<Passed, E> {
                Ok(Passed(JsonKind::String))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Passed, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Passed(JsonKind::Array))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Passed, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Passed(JsonKind::Object))
            }
        }

        deserializer.deserialize_any(PassedVisitor)
    }
}
