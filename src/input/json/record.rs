//! One record as a JSON object.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    super::{
        fields::Fields,
        problem::{Excerpt, Field, JsonKind, ProblemKind},
    },
    fast_path,
};
use crate::record::{ExpireTime, Record, Token};

/// What is wrong, and at which byte of the record's text.
type Wrong = (usize, ProblemKind);

/// Reads a record's text, which is one JSON value.
pub(in crate::input) fn read<'t>(text: &'t [u8], fields: &Fields<'_>) -> Result<Record<'t>, Wrong> {
    match fast_path::read(text, fields) {
        Some(record) => Ok(record),
        None => read_any(text, fields),
    }
}

/// The same, for records of any kind.
pub(in crate::input) fn read_any<'t>(
    text: &'t [u8],
    fields: &Fields<'_>,
) -> Result<Record<'t>, Wrong> {
    match text.first() {
        Some(b'{') => {}
        Some(first) => {
            // Malformed JSON is said to be that, whatever it starts like.
            serde_json::from_slice::<IgnoredAny>(text).map_err(|error| malformed(text, &error))?;
            return Err((
                0,
                ProblemKind::NotObject {
                    found: kind(*first),
                },
            ));
        }
        None => return Err((0, ProblemKind::Truncated)),
    }
    let object: Object<'t> =
        serde_json::from_slice(text).map_err(|error| malformed(text, &error))?;
    let token = object.find(text, Field::Token, fields)?;
    let time = fields
        .names
        .wants(Field::Time)
        .then(|| object.find(text, Field::Time, fields))
        .transpose()?;
    if time.is_some_and(|time| std::ptr::eq(token, time)) {
        let name = Excerpt::of_name(&token.key);
        return Err((offset(text, token.value), ProblemKind::SameField(name)));
    }
    if let Some(twice) = object.twice {
        return Err((
            offset(text, twice.value),
            ProblemKind::DuplicateKey(shown(&twice.key, fields)),
        ));
    }
    Ok(Record {
        token: token_of(token, fields).map_err(|kind| (offset(text, token.value), kind))?,
        expires: match time {
            Some(time) => time_of(time, fields).map_err(|kind| (offset(text, time.value), kind))?,
            None => ExpireTime::EPOCH,
        },
    })
}

/// An object's members in their order.
struct Object<'t> {
    members: Vec<Member<'t>>,
    /// A member whose key has come before.
    twice: Option<Member<'t>>,
}

#[derive(Clone)]
struct Member<'t> {
    key: Cow<'t, str>,
    value: &'t RawValue,
}

impl<'t> Object<'t> {
    fn find(&self, text: &[u8], field: Field, fields: &Fields<'_>) -> Result<&Member<'t>, Wrong> {
        let mut matching = self.members.iter().filter(|member| {
            fields
                .names
                .of(field)
                .iter()
                .any(|name| *name == member.key)
        });
        match (matching.next(), matching.next()) {
            (Some(member), None) => Ok(member),
            (Some(first), Some(second)) => {
                let at = offset(text, second.value);
                Err(if first.key == second.key {
                    (at, ProblemKind::DuplicateKey(shown(&first.key, fields)))
                } else {
                    (
                        at,
                        ProblemKind::Spellings {
                            first: first.key.to_string(),
                            second: second.key.to_string(),
                        },
                    )
                })
            }
            (None, _) => Err((0, self.missing(field, fields))),
        }
    }

    fn missing(&self, field: Field, fields: &Fields<'_>) -> ProblemKind {
        let keys: Vec<&str> = self.members.iter().map(|member| &*member.key).collect();
        let mut problem = fields.names.missing(field, &keys);
        if let ProblemKind::MissingField { found, .. } = &mut problem {
            for (member, excerpt) in self.members.iter().zip(found) {
                // A key may be a token: some write a map of them to times, or to more.
                let text = member.value.get();
                let is_text =
                    text.starts_with('"') && !text[1..].starts_with(|c: char| c.is_ascii_digit());
                if !is_text && fields.names.field(&member.key).is_none() {
                    *excerpt = Excerpt::of_token(&member.key);
                }
            }
        }
        problem
    }
}

fn token_of<'t>(member: &Member<'t>, fields: &Fields<'_>) -> Result<Token<'t>, ProblemKind> {
    match kind_of(member.value) {
        JsonKind::String => {
            let text = text_of(member)?;
            fields.token(text, &member.key)
        }
        found => Err(wrong_type(Field::Token, member, found)),
    }
}

fn time_of(member: &Member<'_>, fields: &Fields<'_>) -> Result<ExpireTime, ProblemKind> {
    match kind_of(member.value) {
        JsonKind::Number => fields.number(member.value.get(), &member.key),
        JsonKind::String => fields.time(&text_of(member)?, &member.key),
        found => Err(wrong_type(Field::Time, member, found)),
    }
}

fn text_of<'t>(member: &Member<'t>) -> Result<Cow<'t, str>, ProblemKind> {
    string(member.value.get().as_bytes()).map_err(|error| ProblemKind::Syntax(message(&error)))
}

fn wrong_type(field: Field, member: &Member<'_>, found: JsonKind) -> ProblemKind {
    ProblemKind::WrongType {
        field,
        name: member.key.to_string(),
        found,
    }
}

/// Reads a JSON string, borrowed where nothing in it is escaped.
pub(in crate::input) fn string(text: &[u8]) -> Result<Cow<'_, str>, serde_json::Error> {
    serde_json::from_slice::<Text<'_>>(text).map(|text| text.0)
}

/// A key as it may be shown: one that is no known name may be a token.
fn shown(key: &str, fields: &Fields<'_>) -> Excerpt {
    match fields.names.field(key) {
        Some(_) => Excerpt::of_name(key),
        None => Excerpt::of_token(key),
    }
}

/// Whether a JSON value can start with this byte.
pub(in crate::input) fn starts_value(first: u8) -> bool {
    matches!(
        first,
        b'{' | b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9'
    )
}

/// The kind of JSON value that starts with this byte.
pub(in crate::input) fn kind(first: u8) -> JsonKind {
    match first {
        b'{' => JsonKind::Object,
        b'[' => JsonKind::Array,
        b'"' => JsonKind::String,
        b't' | b'f' => JsonKind::Bool,
        b'n' => JsonKind::Null,
        _ => JsonKind::Number,
    }
}

fn kind_of(value: &RawValue) -> JsonKind {
    kind(value.get().bytes().next().unwrap_or(b'n'))
}

/// Where in `text` a value stands that was read from it.
fn offset(text: &[u8], value: &RawValue) -> usize {
    (value.get().as_ptr() as usize)
        .saturating_sub(text.as_ptr() as usize)
        .min(text.len())
}

fn malformed(text: &[u8], error: &serde_json::Error) -> Wrong {
    // The parser counts lines and columns from the record's start.
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text)
            .nth(line - 2)
            .map_or(0, |index| index + 1),
    };
    let at = (line_start + error.column().saturating_sub(1)).min(text.len());
    (at, ProblemKind::Syntax(message(error)))
}

/// A syntax error's message without the position, which is the record's own.
pub(in crate::input) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// A string that borrows where it can.
struct Text<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// Up to here a list of keys is searched faster than a set.
const FEW_KEYS: usize = 16;

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members: Vec<Member<'de>> = Vec::with_capacity(4);
                let mut keys = HashSet::new();
                let mut twice = None;
                while let Some(Text(key)) = map.next_key()? {
                    let value = map.next_value::<&RawValue>()?;
                    let known = if members.len() < FEW_KEYS {
                        members.iter().any(|member| member.key == key)
                    } else {
                        if keys.is_empty() {
                            keys.extend(members.iter().map(|member| member.key.clone()));
                        }
                        !keys.insert(key.clone())
                    };
                    let member = Member { key, value };
                    if known && twice.is_none() {
                        twice = Some(member.clone());
                    }
                    members.push(member);
                }
                Ok(Object { members, twice })
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}
