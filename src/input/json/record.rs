//! The parser of one record, which is a JSON object.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    super::{
        excerpt::Excerpt,
        field_names::{NameError, find_duplicate},
        field_parser::FieldParser,
        problem_kind::{Field, JsonKind, ProblemKind},
    },
    fast_path,
};
use crate::record::{ExpireTime, Record, Token};

/// A problem in the text of a record.
#[derive(Debug)]
pub(super) struct RecordError {
    /// The place of the problem, in bytes from the start of the record.
    pub(super) offset: usize,
    pub(super) kind: ProblemKind,
}

/// Parses the text of a record, which is one JSON value.
pub(super) fn parse<'t>(
    text: &'t [u8],
    fields: &FieldParser<'_>,
) -> Result<Record<'t>, RecordError> {
    match fast_path::parse(text, fields) {
        Some(record) => Ok(record),
        None => parse_any(text, fields),
    }
}

/// Parses the text of a record without the fast path.
pub(super) fn parse_any<'t>(
    text: &'t [u8],
    fields: &FieldParser<'_>,
) -> Result<Record<'t>, RecordError> {
    let at_start = |kind| RecordError { offset: 0, kind };
    match text.first() {
        Some(b'{') => {}
        Some(first) => {
            // Malformed JSON must be reported as malformed, not as a value of the wrong kind.
            serde_json::from_slice::<IgnoredAny>(text).map_err(|error| malformed(text, &error))?;
            let found = json_kind(*first);
            return Err(at_start(ProblemKind::NotObject { found }));
        }
        None => return Err(at_start(ProblemKind::TruncatedJson)),
    }
    let object: Object<'t> =
        serde_json::from_slice(text).map_err(|error| malformed(text, &error))?;
    let token = object.find(text, Field::Token, fields)?;
    let time = fields
        .names
        .is_used(Field::Time)
        .then(|| object.find(text, Field::Time, fields))
        .transpose()?;
    if time.is_some_and(|time| std::ptr::eq(token, time)) {
        let name = Excerpt::from_text(&token.key);
        return Err(token.error(text, ProblemKind::SameNameForBothFields(name)));
    }
    if let Some(duplicate) = object.duplicate() {
        let key = Excerpt::from_text(&duplicate.key);
        return Err(duplicate.error(text, ProblemKind::DuplicateName(key)));
    }
    Ok(Record {
        token: parse_token(token, fields).map_err(|kind| token.error(text, kind))?,
        expire_time: match time {
            Some(time) => parse_time(time, fields).map_err(|kind| time.error(text, kind))?,
            None => ExpireTime::UNUSED,
        },
    })
}

/// The members of an object, in the order of the text.
struct Object<'t> {
    members: Vec<Member<'t>>,
}

struct Member<'t> {
    key: Cow<'t, str>,
    value: &'t RawValue,
}

impl<'t> Object<'t> {
    fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.members.iter().map(|member| &*member.key)
    }

    /// Returns the only member whose key is a name of `field`.
    fn find(
        &self,
        text: &[u8],
        field: Field,
        fields: &FieldParser<'_>,
    ) -> Result<&Member<'t>, RecordError> {
        match fields.names.locate(field, self.keys()) {
            Ok(index) => Ok(&self.members[index]),
            Err(NameError { index, kind }) => Err(match index {
                Some(index) => self.members[index].error(text, kind),
                None => RecordError { offset: 0, kind },
            }),
        }
    }

    /// Returns the second member with the same key.
    fn duplicate(&self) -> Option<&Member<'t>> {
        let key = find_duplicate(self.keys())?;
        self.members
            .iter()
            .filter(|member| member.key == key)
            .nth(1)
    }
}

impl<'t> Member<'t> {
    /// Returns an error at the place of this member's value. `text` is the whole record, which
    /// contains the value.
    fn error(&self, text: &[u8], kind: ProblemKind) -> RecordError {
        let offset = (self.value.get().as_ptr() as usize)
            .saturating_sub(text.as_ptr() as usize)
            .min(text.len());
        RecordError { offset, kind }
    }

    fn json_kind(&self) -> JsonKind {
        json_kind(self.value.get().bytes().next().unwrap_or(b'n'))
    }

    fn string(&self) -> Result<Cow<'t, str>, ProblemKind> {
        parse_string(self.value.get().as_bytes())
            .map_err(|error| ProblemKind::JsonSyntax(syntax_message(&error)))
    }

    fn wrong_type(&self, field: Field) -> ProblemKind {
        ProblemKind::WrongType {
            field,
            name: self.key.to_string(),
            found: self.json_kind(),
        }
    }
}

fn parse_token<'t>(
    member: &Member<'t>,
    fields: &FieldParser<'_>,
) -> Result<Token<'t>, ProblemKind> {
    match member.json_kind() {
        JsonKind::String => fields.token(member.string()?, &member.key),
        _ => Err(member.wrong_type(Field::Token)),
    }
}

fn parse_time(member: &Member<'_>, fields: &FieldParser<'_>) -> Result<ExpireTime, ProblemKind> {
    match member.json_kind() {
        JsonKind::Number => fields.time_from_number(member.value.get(), &member.key),
        JsonKind::String => fields.time(&member.string()?, &member.key),
        _ => Err(member.wrong_type(Field::Time)),
    }
}

/// Parses a JSON string. Copies the string only if it has escapes.
pub(super) fn parse_string(text: &[u8]) -> Result<Cow<'_, str>, serde_json::Error> {
    serde_json::from_slice::<Text<'_>>(text).map(|text| text.0)
}

/// Returns whether a JSON value can start with this byte.
pub(super) fn starts_value(first: u8) -> bool {
    matches!(
        first,
        b'{' | b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9'
    )
}

/// Returns the kind of the JSON value that starts with this byte.
pub(super) fn json_kind(first: u8) -> JsonKind {
    match first {
        b'{' => JsonKind::Object,
        b'[' => JsonKind::Array,
        b'"' => JsonKind::String,
        b't' | b'f' => JsonKind::Bool,
        b'n' => JsonKind::Null,
        _ => JsonKind::Number,
    }
}

/// Converts a `serde_json` error in the text of a record to a [`RecordError`].
fn malformed(text: &[u8], error: &serde_json::Error) -> RecordError {
    // `serde_json` reports a line and a column in the record, both counted from 1. A
    // `RecordError` needs the offset in the record instead.
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text)
            .nth(line - 2)
            .map_or(0, |index| index + 1),
    };
    RecordError {
        offset: (line_start + error.column().saturating_sub(1)).min(text.len()),
        kind: ProblemKind::JsonSyntax(syntax_message(error)),
    }
}

/// Returns the message of a syntax error without the position at its end. The caller reports the
/// position in the whole input separately.
pub(super) fn syntax_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// A string that is borrowed from the JSON text unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

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
                while let Some(Text(key)) = map.next_key()? {
                    let value = map.next_value::<&RawValue>()?;
                    members.push(Member { key, value });
                }
                Ok(Object { members })
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}
