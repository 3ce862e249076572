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
        fields::{FieldParser, NameError, find_duplicate},
        options::REQUEST_ARRAY_KEY,
        problem::{A_NUMBER, Field, ProblemKind},
    },
    fast_path,
};
use crate::record::{ExpireTime, Record, Token};

#[derive(Debug)]
pub(super) struct RecordError {
    /// In bytes from the start of the record.
    pub(super) offset: usize,
    pub(super) kind: ProblemKind,
}

pub(super) fn parse<'t>(
    text: &'t [u8],
    fields: &FieldParser<'_>,
) -> Result<Record<'t>, RecordError> {
    match fast_path::parse(text, fields) {
        Some(record) => Ok(record),
        None => parse_any(text, fields),
    }
}

pub(super) fn parse_any<'t>(
    text: &'t [u8],
    fields: &FieldParser<'_>,
) -> Result<Record<'t>, RecordError> {
    let object = Object::parse(text)?;
    let token = object.find(Field::Token, fields)?;
    let time = fields
        .names
        .is_used(Field::Time)
        .then(|| object.find(Field::Time, fields))
        .transpose()?;
    if time.is_some_and(|time| std::ptr::eq(token, time)) {
        let name = Excerpt::from_text(&token.key);
        return Err(object.error_at(token, ProblemKind::SameNameForBothFields(name)));
    }
    if let Some(key) = find_duplicate(object.keys()) {
        let kind = ProblemKind::DuplicateName(Excerpt::from_text(key));
        let mut members = object.members.iter().filter(|member| member.key == key);
        return Err(object.error_at(members.nth(1).unwrap_or(token), kind));
    }
    Ok(Record {
        token: parse_token(token, fields).map_err(|kind| object.error_at(token, kind))?,
        expire_time: match time {
            Some(time) => parse_time(time, fields).map_err(|kind| object.error_at(time, kind))?,
            None => ExpireTime::UNUSED,
        },
    })
}

struct Object<'t> {
    text: &'t [u8],
    members: Vec<Member<'t>>,
}

struct Member<'t> {
    key: Cow<'t, str>,
    value: &'t RawValue,
}

impl<'t> Object<'t> {
    fn parse(text: &'t [u8]) -> Result<Self, RecordError> {
        let malformed = |error| malformed(text, &error);
        let first = text.first().copied().unwrap_or(b'{');
        if first != b'{' {
            // Malformed JSON must be reported as malformed, not as a value of the wrong kind.
            serde_json::from_slice::<IgnoredAny>(text).map_err(malformed)?;
            let found = json_kind(first);
            let kind = ProblemKind::NotObject { found };
            return Err(RecordError { offset: 0, kind });
        }
        let mut json = serde_json::Deserializer::from_slice(text);
        let members = json.deserialize_map(MembersVisitor).map_err(malformed)?;
        json.end().map_err(malformed)?;
        Ok(Self { text, members })
    }

    fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.members.iter().map(|member| &*member.key)
    }

    fn find(&self, field: Field, fields: &FieldParser<'_>) -> Result<&Member<'t>, RecordError> {
        let index = fields.names.locate(field, self.keys());
        index
            .map(|index| &self.members[index])
            .map_err(|NameError { index, kind }| match index {
                Some(index) => self.error_at(&self.members[index], kind),
                None if self.keys().any(|key| key == REQUEST_ARRAY_KEY) => RecordError {
                    offset: 0,
                    kind: ProblemKind::RequestMessage,
                },
                None => RecordError { offset: 0, kind },
            })
    }

    fn error_at(&self, member: &Member<'t>, kind: ProblemKind) -> RecordError {
        let value = member.value.get().as_ptr() as usize;
        let offset = value.saturating_sub(self.text.as_ptr() as usize);
        RecordError { offset, kind }
    }
}

impl<'t> Member<'t> {
    fn string(&self) -> Result<Cow<'t, str>, ProblemKind> {
        parse_string(self.value.get().as_bytes()).map_err(|error| syntax_problem(&error))
    }

    fn wrong_type(&self, field: Field) -> ProblemKind {
        ProblemKind::WrongType {
            field,
            name: self.key.to_string(),
            found: json_kind(self.value.get().bytes().next().unwrap_or_default()),
        }
    }
}

fn parse_token<'t>(
    member: &Member<'t>,
    fields: &FieldParser<'_>,
) -> Result<Token<'t>, ProblemKind> {
    if !member.value.get().starts_with('"') {
        return Err(member.wrong_type(Field::Token));
    }
    let text = match member.string()? {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    fields.token(text, &member.key)
}

fn parse_time(member: &Member<'_>, fields: &FieldParser<'_>) -> Result<ExpireTime, ProblemKind> {
    match member.value.get().as_bytes() {
        [b'"', ..] => fields.time(member.string()?.as_bytes(), &member.key),
        number @ [b'-' | b'0'..=b'9', ..] => fields.time(number, &member.key),
        _ => Err(member.wrong_type(Field::Time)),
    }
}

pub(super) fn parse_string(text: &[u8]) -> Result<Cow<'_, str>, serde_json::Error> {
    serde_json::from_slice::<Text<'_>>(text).map(|text| text.0)
}

pub(super) fn starts_value(first: u8) -> bool {
    matches!(
        first,
        b'{' | b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9'
    )
}

pub(super) fn json_kind(first: u8) -> &'static str {
    match first {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => A_NUMBER,
    }
}

fn malformed(text: &[u8], error: &serde_json::Error) -> RecordError {
    // `serde_json` reports a line and a column in the record, both counted from 1.
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text)
            .nth(line - 2)
            .map_or(0, |index| index + 1),
    };
    RecordError {
        offset: (line_start + error.column().saturating_sub(1)).min(text.len()),
        kind: match text.first() {
            // Such a text may be the start of a literal, and more text may follow in the document.
            Some(first) if error.is_eof() && !b"{[\"".contains(first) => {
                ProblemKind::JsonSyntax("expected value".to_owned())
            }
            _ => syntax_problem(error),
        },
    }
}

/// The position in the message of `serde_json` is relative to the record, so it is left out.
pub(super) fn syntax_problem(error: &serde_json::Error) -> ProblemKind {
    if error.is_eof() {
        return ProblemKind::TruncatedJson;
    }
    let text = error.to_string();
    let message = text.rfind(" at line ").map_or(&*text, |end| &text[..end]);
    ProblemKind::JsonSyntax(match message {
        "expected ident" => "expected true, false or null".to_owned(),
        "unexpected end of hex escape" | "lone leading surrogate in hex escape" => {
            "unpaired surrogate in a string".to_owned()
        }
        message => message.replace('`', "\""),
    })
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(4);
        while let Some((Text(key), value)) = map.next_entry()? {
            members.push(Member { key, value });
        }
        Ok(members)
    }
}
