//! The outline of a JSON document, for the format detection: where its keys and arrays are.

use std::io::{self, Read};

use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::{
    super::{
        bytes::LineBuffer,
        excerpt::Excerpt,
        fields::{FieldNames, find_duplicate},
        options::{JsonPointer, format_pointer},
        position::Position,
        problem::{Field, ProblemKind, ReadError},
    },
    record,
    scanner::{read_key, skip_byte, skip_member, skip_space},
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
        Category::Eof | Category::Syntax | Category::Data => record::syntax_problem(&error),
    };
    ReadError::fatal(Some(position), kind)
}

pub(in crate::input) struct Member {
    pub(in crate::input) key: String,
    position: Position,
    first_byte: Option<u8>,
}

impl Member {
    pub(in crate::input) fn is_array(&self) -> bool {
        self.first_byte == Some(b'[')
    }

    pub(in crate::input) fn may_contain_arrays(&self) -> bool {
        matches!(self.first_byte, Some(b'[' | b'{'))
    }
}

/// Returns no members if the root is not an object. The document must have passed [`check_syntax`].
pub(in crate::input) fn read_root_members(
    mut text: LineBuffer<'_>,
) -> Result<Vec<Member>, ReadError> {
    read_members(&mut text).map_err(|kind| ReadError::fatal(Some(text.position(0, 0)), kind))
}

/// Consumes the next value and the comma after it.
fn read_members(text: &mut LineBuffer<'_>) -> Result<Vec<Member>, ProblemKind> {
    let mut members = Vec::new();
    if skip_space(text)? != Some(b'{') {
        skip_member(text)?;
        return Ok(members);
    }
    text.consume(1);
    while skip_space(text)? == Some(b'"') {
        members.push(read_member_start(text)?);
        skip_member(text)?;
    }
    skip_byte(text, b'}')?;
    skip_byte(text, b',')?;
    Ok(members)
}

fn read_member_start(text: &mut LineBuffer<'_>) -> Result<Member, ProblemKind> {
    let position = text.position(0, 0);
    Ok(Member {
        key: read_key(text)?,
        position,
        first_byte: skip_space(text)?,
    })
}

/// Refuses an object that has a key twice.
pub(in crate::input) fn check_keys(members: &[Member]) -> Result<(), ReadError> {
    let Some(key) = find_duplicate(members.iter().map(|member| &*member.key)) else {
        return Ok(());
    };
    let mut members = members.iter().filter(|member| member.key == key);
    let position = members.nth(1).map(|member| member.position);
    let kind = ProblemKind::DuplicateName(Excerpt::from_text(key));
    Err(ReadError::fatal(position, kind))
}

/// Refuses an object on the path to the records that has a key twice. The document must have passed
/// [`check_syntax`].
pub(in crate::input) fn check_path(
    mut text: LineBuffer<'_>,
    path: &[String],
) -> Result<(), ReadError> {
    check_member(&mut text, path)
}

fn check_member(text: &mut LineBuffer<'_>, path: &[String]) -> Result<(), ReadError> {
    let (is_object, step, rest) = match (skip_space(text)?, path) {
        (Some(b'{'), [step, rest @ ..]) => (true, step, rest),
        (Some(b'['), [step, rest @ ..]) => (false, step, rest),
        _ => return Ok(skip_member(text)?),
    };
    text.consume(1);
    let mut members = Vec::new();
    for index in 0_u64.. {
        if matches!(skip_space(text)?, None | Some(b'}' | b']')) {
            break;
        }
        let is_step = if is_object {
            let member = read_member_start(text)?;
            let is_step = member.key == *step;
            members.push(member);
            is_step
        } else {
            index.to_string() == *step
        };
        check_member(text, if is_step { rest } else { &[] })?;
    }
    skip_byte(text, if is_object { b'}' } else { b']' })?;
    skip_byte(text, b',')?;
    check_keys(&members)
}

/// The maximum number of keys in a suggested JSON Pointer.
const MAX_DEPTH: usize = 16;

/// Returns the JSON Pointer of the array of objects in the next value, which is at `path`. Returns
/// `None` if there is another number of such arrays, or if messages must not show the pointer.
pub(in crate::input) fn find_only_array(
    text: &mut LineBuffer<'_>,
    path: &[String],
) -> Option<String> {
    let mut arrays = Vec::new();
    find_arrays(text, &mut path.to_vec(), &|_| true, &mut arrays).ok()?;
    only_pointer(&arrays)
}

/// Returns the JSON Pointer of the only array, unless messages must not show the pointer.
pub(in crate::input) fn only_pointer(arrays: &[JsonPointer]) -> Option<String> {
    match arrays {
        [only] if only.iter().all(|key| Excerpt::shows_exactly(key)) => Some(format_pointer(only)),
        _ => None,
    }
}

/// Returns the arrays of objects with a device token. The document must have passed
/// [`check_syntax`].
pub(in crate::input) fn find_record_arrays(
    mut text: LineBuffer<'_>,
    names: &FieldNames,
) -> Result<Vec<JsonPointer>, ReadError> {
    let has_token = |members: &[Member]| {
        let is_token = |member: &Member| names.find(member.key.as_bytes()) == Some(Field::Token);
        members.iter().any(is_token)
    };
    let mut arrays = Vec::new();
    find_arrays(&mut text, &mut Vec::new(), &has_token, &mut arrays)?;
    Ok(arrays)
}

/// Adds the arrays that have an object with wanted members. An empty array counts as an array of
/// objects without members.
fn find_arrays(
    text: &mut LineBuffer<'_>,
    path: &mut JsonPointer,
    is_wanted: &dyn Fn(&[Member]) -> bool,
    arrays: &mut Vec<JsonPointer>,
) -> Result<(), ProblemKind> {
    match skip_space(text)? {
        Some(b'{') if path.len() < MAX_DEPTH => {
            text.consume(1);
            while skip_space(text)? == Some(b'"') {
                path.push(read_key(text)?);
                find_arrays(text, path, is_wanted, arrays)?;
                path.pop();
            }
            skip_byte(text, b'}')?;
        }
        Some(b'[') => {
            text.consume(1);
            let mut is_found = skip_space(text)? == Some(b']') && is_wanted(&[]);
            loop {
                match skip_space(text)? {
                    None | Some(b']') => break,
                    Some(b'{') if !is_found => is_found = is_wanted(&read_members(text)?),
                    Some(_) => skip_member(text)?,
                }
            }
            if is_found {
                arrays.push(path.clone());
            }
            skip_byte(text, b']')?;
        }
        _ => return skip_member(text),
    }
    skip_byte(text, b',')
}
