//! The keys of the root object of a JSON document, for the format detection.

use std::io::{self, Read};

use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::{
    super::{
        bytes::LineBuffer,
        position::Position,
        problem::{ProblemKind, ReadError},
    },
    record,
    scanner::{read_key, skip_member, skip_space},
};

/// Checks that a text is one JSON document. A second document is [`ProblemKind::MultipleDocuments`].
pub(in crate::input) fn check_syntax(text: impl Read) -> Result<(), ReadError> {
    let text = io::BufReader::with_capacity(64 << 10, text);
    let mut documents = serde_json::Deserializer::from_reader(text).into_iter::<IgnoredAny>();
    match documents.next() {
        Some(Ok(_)) if documents.next().is_some() => Err(ProblemKind::MultipleDocuments.into()),
        Some(Ok(_)) | None => Ok(()),
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

pub(in crate::input) struct RootMember {
    pub(in crate::input) key: String,
    pub(in crate::input) is_array: bool,
}

/// Returns no members if the root is not an object. The document must have passed [`check_syntax`].
pub(in crate::input) fn read_root_members(
    mut text: LineBuffer<'_>,
) -> Result<Vec<RootMember>, ReadError> {
    read_members(&mut text).map_err(|kind| ReadError::fatal(Some(text.position(0, 0)), kind))
}

fn read_members(text: &mut LineBuffer<'_>) -> Result<Vec<RootMember>, ProblemKind> {
    let mut members = Vec::new();
    if skip_space(text)? != Some(b'{') {
        return Ok(members);
    }
    text.consume(1);
    while skip_space(text)? == Some(b'"') {
        let key = read_key(text)?;
        let is_array = skip_space(text)? == Some(b'[');
        members.push(RootMember { key, is_array });
        skip_member(text)?;
    }
    Ok(members)
}
