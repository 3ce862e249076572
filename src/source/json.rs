//! JSON documents and NDJSON.
//!
//! `serde_json` reads each record; what stands here finds where a record starts and ends, because
//! a reader of whole documents neither streams a list's elements nor goes on behind a bad one.

use std::io::{self, Read};

use super::{
    LARGEST_RECORD,
    fields::Fields,
    json_record,
    options::Options,
    problem::{Excerpt, Fault, JsonKind, Located, Position, ProblemKind},
    window::Window,
};
use crate::record::Record;

/// How a document holds its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One object a line.
    Lines,
    /// A list, at the end of these keys and indices from the root.
    List(Vec<String>),
    /// The root is one record.
    One,
}

pub(super) struct JsonReader<'o, R> {
    window: Window<R>,
    fields: Fields<'o>,
    layout: Layout,
    record: u64,
    /// The length of the record that the caller looks at, still to be passed.
    shown: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// Behind the list's bracket and one of its elements, or behind the only record.
    Inside,
    Finished,
}

impl<'o, R: Read> JsonReader<'o, R> {
    pub(super) fn new(input: R, layout: Layout, protobuf: bool, options: &'o Options) -> Self {
        Self {
            window: Window::new(input),
            fields: if protobuf {
                Fields::of_protobuf(options)
            } else {
                Fields::new(options)
            },
            layout,
            record: 0,
            shown: 0,
            state: State::Start,
        }
    }

    pub(super) fn next(&mut self) -> Option<Result<Located<Record<'_>>, Fault>> {
        self.window.pass(self.shown);
        self.shown = 0;
        let found = match self.state {
            State::Finished => return None,
            State::Start | State::Inside => self.advance(),
        };
        match found {
            Ok(Some(length)) => Some(self.read(length)),
            Ok(None) => {
                self.state = State::Finished;
                None
            }
            Err(kind) => {
                self.state = State::Finished;
                let at = position(&self.window, self.record + 1, 0);
                Some(Err(Fault::fatal(Some(at), kind)))
            }
        }
    }

    /// Moves to the next record and measures it.
    fn advance(&mut self) -> Result<Option<usize>, ProblemKind> {
        match self.layout {
            Layout::Lines => self.next_line(),
            Layout::List(_) => self.next_element(),
            Layout::One => self.only_value(),
        }
    }

    fn read(&mut self, length: usize) -> Result<Located<Record<'_>>, Fault> {
        let Self {
            window,
            fields,
            layout,
            state,
            ..
        } = self;
        self.shown = length;
        *state = State::Inside;
        let text = &window.unread()[..length];
        let number = self.record + 1;
        match json_record::read(text, fields) {
            Ok(value) => {
                self.record = number;
                let at = position(window, number, 0);
                Ok(Located { at, value })
            }
            Err((offset, kind)) => {
                let at = position(window, number, offset.min(length));
                // A malformed value inside a document means that the document is malformed.
                if *layout != Layout::Lines && matches!(kind, ProblemKind::Syntax(_)) {
                    *state = State::Finished;
                    return Err(Fault::fatal(Some(at), kind));
                }
                self.record = number;
                Err(Fault::record(at, kind))
            }
        }
    }

    fn next_line(&mut self) -> Result<Option<usize>, ProblemKind> {
        let mut searched = 0;
        loop {
            let unread = self.window.unread();
            let end = memchr::memchr(b'\n', &unread[searched..]).map(|index| searched + index);
            searched = unread.len();
            let end = match end {
                Some(end) => end,
                None if searched > LARGEST_RECORD => return Err(ProblemKind::TooLong),
                None if self.window.more()? => continue,
                None => searched,
            };
            let line = &self.window.unread()[..end];
            let text = line.trim_ascii();
            if text.len() > LARGEST_RECORD {
                return Err(ProblemKind::TooLong);
            }
            let length = text.len();
            let before = line.len() - line.trim_ascii_start().len();
            if length > 0 {
                self.window.pass(before);
                return Ok(Some(length));
            }
            if end == self.window.unread().len() {
                return Ok(None);
            }
            self.window.pass(end + 1);
            searched = 0;
        }
    }

    fn next_element(&mut self) -> Result<Option<usize>, ProblemKind> {
        if self.state == State::Start {
            self.enter_list()?;
            if skip_space(&mut self.window)? == Some(b']') {
                return self.leave_list();
            }
        } else {
            match skip_space(&mut self.window)? {
                Some(b',') => {
                    self.window.pass(1);
                    skip_space(&mut self.window)?;
                }
                Some(b']') => return self.leave_list(),
                Some(_) => return Err(syntax("expected `,` or `]`")),
                None => return Err(ProblemKind::Truncated),
            }
        }
        measure(&mut self.window).map(Some)
    }

    /// Moves behind the bracket of the list.
    fn enter_list(&mut self) -> Result<(), ProblemKind> {
        if let Layout::List(path) = &self.layout {
            for step in path {
                enter(&mut self.window, step)?;
            }
        }
        match skip_space(&mut self.window)? {
            Some(b'[') => {
                self.window.pass(1);
                Ok(())
            }
            Some(byte) => Err(ProblemKind::NoList {
                found: json_record::kind(byte),
                keys: Vec::new(),
                lists: 0,
            }),
            None => Err(ProblemKind::Truncated),
        }
    }

    /// Behind the list only a root's end, or the rest of a document that was looked through when
    /// its layout was found out.
    fn leave_list(&mut self) -> Result<Option<usize>, ProblemKind> {
        self.window.pass(1);
        if self.layout == Layout::List(Vec::new()) {
            return self.end_of_document();
        }
        loop {
            self.window.pass(self.window.unread().len());
            if !self.window.more()? {
                return Ok(None);
            }
        }
    }

    fn only_value(&mut self) -> Result<Option<usize>, ProblemKind> {
        if self.state == State::Inside {
            return self.end_of_document();
        }
        skip_space(&mut self.window)?;
        measure(&mut self.window).map(Some)
    }

    fn end_of_document(&mut self) -> Result<Option<usize>, ProblemKind> {
        match skip_space(&mut self.window)? {
            None => Ok(None),
            Some(_) => Err(ProblemKind::SecondDocument),
        }
    }
}

fn position<R: Read>(window: &Window<R>, record: u64, index: usize) -> Position {
    let (line, column) = window.position(index);
    Position {
        record,
        line,
        column: Some(column),
    }
}

fn syntax(message: &str) -> ProblemKind {
    ProblemKind::Syntax(message.to_owned())
}

/// Passes white space (RFC 8259 section 2) and looks at what comes behind it.
fn skip_space<R: Read>(window: &mut Window<R>) -> io::Result<Option<u8>> {
    loop {
        let unread = window.unread();
        let space = unread
            .iter()
            .take_while(|byte| b" \t\r\n".contains(byte))
            .count();
        let next = unread.get(space).copied();
        window.pass(space);
        if next.is_some() || !window.more()? {
            return Ok(next);
        }
    }
}

/// Moves behind the key or index `step` of the object or list that comes next.
fn enter<R: Read>(window: &mut Window<R>, step: &str) -> Result<(), ProblemKind> {
    let object = match skip_space(window)? {
        Some(b'{') => true,
        Some(b'[') => false,
        _ => return Err(ProblemKind::NoPointer),
    };
    window.pass(1);
    for index in 0_u64.. {
        if matches!(skip_space(window)?, None | Some(b'}' | b']')) {
            return Err(ProblemKind::NoPointer);
        }
        let here = if object {
            let length = measure(window)?;
            let key = json_record::string(&window.unread()[..length])
                .map_err(|error| syntax(&error.to_string()))?;
            let here = key == step;
            window.pass(length);
            if skip_space(window)? != Some(b':') {
                return Err(syntax("expected `:`"));
            }
            window.pass(1);
            here
        } else {
            index.to_string() == step
        };
        if here {
            return Ok(());
        }
        skip_space(window)?;
        skip(window)?;
        if skip_space(window)? == Some(b',') {
            window.pass(1);
        }
    }
    Err(ProblemKind::NoPointer)
}

/// The length of the value that the window stands on, which is read whole.
fn measure<R: Read>(window: &mut Window<R>) -> Result<usize, ProblemKind> {
    let mut scan = Scan::default();
    let mut scanned = 0;
    let length = loop {
        let unread = window.unread();
        if let Some(end) = scan.find_end(&unread[scanned..]) {
            break scanned + end;
        }
        scanned = unread.len();
        if scanned > LARGEST_RECORD {
            break scanned;
        }
        if !window.more()? {
            if scan.is_open() || scanned == 0 {
                return Err(ProblemKind::Truncated);
            }
            break scanned;
        }
    };
    match length {
        0 => Err(syntax("expected value")),
        length if length > LARGEST_RECORD => Err(ProblemKind::TooLong),
        length => Ok(length),
    }
}

/// Passes the value that the window stands on, of any length.
fn skip<R: Read>(window: &mut Window<R>) -> Result<(), ProblemKind> {
    let mut scan = Scan::default();
    loop {
        let unread = window.unread();
        let end = scan.find_end(unread);
        let length = end.unwrap_or(unread.len());
        window.pass(length);
        if end.is_some() {
            return Ok(());
        }
        if !window.more()? {
            return Err(ProblemKind::Truncated);
        }
    }
}

/// Finds the end of a JSON value by its brackets and quotes. Whether it is well-formed in between
/// is for the JSON reader to say.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn is_open(&self) -> bool {
        self.depth > 0 || self.in_string
    }

    /// Goes on over `bytes`; the index behind the value, if it ends there.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut index = 0;
        while index < bytes.len() {
            if self.escaped {
                self.escaped = false;
                index += 1;
                continue;
            }
            if self.in_string {
                index += memchr::memchr2(b'"', b'\\', &bytes[index..])?;
                if bytes[index] == b'\\' {
                    self.escaped = true;
                } else {
                    self.in_string = false;
                    if self.depth == 0 {
                        return Some(index + 1);
                    }
                }
                index += 1;
                continue;
            }
            match bytes[index] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    if self.depth == 0 {
                        return Some(index);
                    }
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(index + 1);
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => {
                    return Some(index);
                }
                _ => {}
            }
            index += 1;
        }
        None
    }
}

/// What the members of a document's root are.
pub(super) struct Outline {
    pub(super) members: Vec<(String, JsonKind)>,
    /// Whether more JSON follows behind the root.
    pub(super) more: bool,
}

impl Outline {
    /// Reads a whole document whose root is an object.
    pub(super) fn read<R: Read>(input: R) -> Result<Self, Fault> {
        let mut documents =
            serde_json::Deserializer::from_reader(io::BufReader::with_capacity(64 << 10, input))
                .into_iter::<json_record::Members>();
        let members = match documents.next() {
            Some(Ok(members)) => members.0,
            Some(Err(error)) => return Err(syntax_fault(error)),
            None => Vec::new(),
        };
        // A second document that is malformed is one more all the same.
        let more = documents.next().is_some();
        Ok(Self { members, more })
    }

    pub(super) fn has(&self, names: &[String]) -> bool {
        self.members.iter().any(|(key, _)| names.contains(key))
    }

    /// The keys of the members that are lists.
    pub(super) fn lists(&self) -> Vec<&str> {
        self.members
            .iter()
            .filter(|(_, kind)| *kind == JsonKind::Array)
            .map(|(key, _)| key.as_str())
            .collect()
    }

    /// The keys, as they may be shown: one that maps to a number may be a token.
    pub(super) fn keys(&self) -> Vec<Excerpt> {
        self.members
            .iter()
            .map(|(key, kind)| match kind {
                JsonKind::Number => Excerpt::of_token(key),
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
        _ => Fault::fatal(Some(at), ProblemKind::Syntax(json_record::message(&error))),
    }
}
