//! The keys of the root object of a JSON document, for the format detection.

use std::io::{self, Read};

use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::{
    super::{
        bytes::LineBuffer,
        excerpt::Excerpt,
        fields::find_duplicate,
        position::Position,
        problem::{ProblemKind, ReadError},
    },
    record,
    scanner::{read_key, skip_member, skip_space},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::input) enum DocumentCount {
    One,
    Several,
}

pub(in crate::input) fn check_syntax<R: Read>(text: R) -> Result<DocumentCount, ReadError> {
    let text = io::BufReader::with_capacity(64 << 10, text);
    let mut documents = serde_json::Deserializer::from_reader(text).into_iter::<IgnoredAny>();
    match documents.next() {
        Some(Ok(_)) if documents.next().is_some() => Ok(DocumentCount::Several),
        Some(Ok(_)) | None => Ok(DocumentCount::One),
        Some(Err(error)) => Err(read_error(error)),
    }
}

fn read_error(error: serde_json::Error) -> ReadError {
    let position = Position {
        record: 0,
        line: error.line().max(1) as u64,
        column: Some(error.column().max(1) as u64),
    };
    let kind = match error.classify() {
        Category::Io => return io::Error::from(error).into(),
        Category::Eof => ProblemKind::TruncatedJson,
        Category::Syntax | Category::Data => {
            ProblemKind::JsonSyntax(record::syntax_message(&error))
        }
    };
    ReadError::fatal(Some(position), kind)
}

/// Empty if the root is not an object.
pub(in crate::input) struct Outline {
    members: Vec<Member>,
}

struct Member {
    key: String,
    is_array: bool,
}

impl Outline {
    /// The document must have passed [`check_syntax`].
    pub(in crate::input) fn read(mut text: LineBuffer<'_>) -> Result<Self, ReadError> {
        read_members(&mut text)
            .map(|members| Self { members })
            .map_err(|kind| ReadError::fatal(Some(text.position(0, 0)), kind))
    }

    pub(in crate::input) fn duplicate_key(&self) -> Option<&str> {
        find_duplicate(self.members.iter().map(|member| &*member.key))
    }

    pub(in crate::input) fn has_any<S: AsRef<str>>(&self, keys: &[S]) -> bool {
        let mut members = self.members.iter();
        members.any(|member| keys.iter().any(|key| *key.as_ref() == member.key))
    }

    pub(in crate::input) fn array_keys(&self) -> Vec<&str> {
        let arrays = self.members.iter().filter(|member| member.is_array);
        arrays.map(|member| &*member.key).collect()
    }

    pub(in crate::input) fn keys(&self) -> Vec<Excerpt> {
        let members = self.members.iter();
        members
            .map(|member| Excerpt::from_text(&member.key))
            .collect()
    }
}

fn read_members(text: &mut LineBuffer<'_>) -> Result<Vec<Member>, ProblemKind> {
    let mut members = Vec::new();
    if skip_space(text)? != Some(b'{') {
        return Ok(members);
    }
    text.consume(1);
    while skip_space(text)? == Some(b'"') {
        let key = read_key(text)?;
        let is_array = skip_space(text)? == Some(b'[');
        members.push(Member { key, is_array });
        skip_member(text)?;
    }
    Ok(members)
}
