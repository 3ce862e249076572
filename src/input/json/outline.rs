//! What a document holds, before any of it is read as records.

use std::io::{self, Read};

use serde::de::IgnoredAny;

use super::{
    super::{
        bytes::Window,
        problem::{Excerpt, Fault, JsonKind, Position, ProblemKind},
    },
    record,
    scanner::{measure, position, skip, skip_space},
};

/// Looks through a whole document, whose syntax is checked, and says whether more JSON follows
/// behind it.
///
/// # Errors
///
/// The first malformed place.
pub(in crate::input) fn check<R: Read>(input: R) -> Result<bool, Fault> {
    let input = io::BufReader::with_capacity(64 << 10, input);
    let mut documents = serde_json::Deserializer::from_reader(input).into_iter::<IgnoredAny>();
    match documents.next() {
        // A second document that is malformed is one more all the same.
        Some(Ok(_)) => Ok(documents.next().is_some()),
        Some(Err(error)) => Err(fault(error)),
        None => Ok(false),
    }
}

fn fault(error: serde_json::Error) -> Fault {
    let at = Position {
        record: 0,
        line: error.line().max(1) as u64,
        column: Some(error.column().max(1) as u64),
    };
    match error.classify() {
        serde_json::error::Category::Io => Fault::fatal(None, io::Error::from(error).into()),
        serde_json::error::Category::Eof => Fault::fatal(Some(at), ProblemKind::Truncated),
        _ => Fault::fatal(Some(at), ProblemKind::Syntax(record::message(&error))),
    }
}

/// The members of a document's root, if it is an object.
pub(in crate::input) struct Outline {
    members: Vec<(String, JsonKind)>,
}

impl Outline {
    /// Reads a document that was checked.
    pub(in crate::input) fn read(mut window: Window<'_>) -> Result<Self, Fault> {
        members(&mut window)
            .map(|members| Self { members })
            .map_err(|kind| Fault::fatal(Some(position(&window, 0, 0)), kind))
    }

    /// A key that comes twice.
    pub(in crate::input) fn duplicate_key(&self) -> Option<Excerpt> {
        let mut keys: Vec<_> = self.members.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        let pair = keys.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(Excerpt::of_token(pair[0]))
    }

    pub(in crate::input) fn has(&self, names: &[String]) -> bool {
        self.members.iter().any(|(key, _)| names.contains(key))
    }

    /// The keys of the members that are lists.
    pub(in crate::input) fn lists(&self) -> Vec<&str> {
        self.members
            .iter()
            .filter(|(_, kind)| *kind == JsonKind::Array)
            .map(|(key, _)| key.as_str())
            .collect()
    }

    /// The keys, as they may be shown: one that is not a list's may be a token.
    pub(in crate::input) fn keys(&self) -> Vec<Excerpt> {
        self.members
            .iter()
            .map(|(key, kind)| match kind {
                JsonKind::Array => Excerpt::of_name(key),
                _ => Excerpt::of_token(key),
            })
            .collect()
    }
}

fn members(window: &mut Window<'_>) -> Result<Vec<(String, JsonKind)>, ProblemKind> {
    let mut members = Vec::new();
    if skip_space(window)? != Some(b'{') {
        return Ok(members);
    }
    window.pass(1);
    while skip_space(window)? == Some(b'"') {
        let length = measure(window)?;
        let key = record::string(&window.unread()[..length])
            .map_err(|error| ProblemKind::Syntax(record::message(&error)))?
            .into_owned();
        window.pass(length);
        // The colon; the document's syntax was checked.
        skip_space(window)?;
        window.pass(1);
        let Some(first) = skip_space(window)? else {
            return Err(ProblemKind::Truncated);
        };
        skip(window)?;
        members.push((key, record::kind(first)));
        if skip_space(window)? == Some(b',') {
            window.pass(1);
        }
    }
    Ok(members)
}
