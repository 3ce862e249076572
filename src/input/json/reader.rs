//! JSON documents and NDJSON.
//!
//! `serde_json` reads each record; what stands here finds where a record starts and ends, because
//! a reader of whole documents neither streams a list's elements nor goes on behind a bad one.

use super::{
    super::{
        bytes::Window,
        fields::Fields,
        limits::{ENDLESS_LINE, LARGEST_RECORD, LONGEST_LINE},
        options::Options,
        problem::{Fault, Located, Position, ProblemKind},
    },
    record,
    scanner::{self, enter, measure, position, skip_space, syntax},
};
use crate::record::Record;

/// How a document holds its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::input) enum Layout {
    /// One object a line.
    Lines,
    /// A list, at the end of these keys and indices from the root.
    List(Vec<String>),
    /// The root is one record.
    One,
}

pub(in crate::input) struct JsonReader<'i> {
    window: Window<'i>,
    fields: Fields<'i>,
    layout: Layout,
    record: u64,
    /// The length of the record that the caller looks at, still to be passed.
    shown: usize,
    /// The same of its whole line, which ends in a line feed, where one line is one record.
    shown_line: Option<usize>,
    /// Where a line stood that was too long to be read, and was passed.
    overlong: Option<Position>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// Behind the list's bracket and one of its elements, or behind the only record.
    Inside,
    Finished,
}

impl<'i> JsonReader<'i> {
    pub(in crate::input) fn new(
        window: Window<'i>,
        layout: Layout,
        protobuf: bool,
        options: &'i Options,
    ) -> Self {
        Self {
            window,
            fields: if protobuf {
                Fields::of_protobuf(options)
            } else {
                Fields::new(options)
            },
            layout,
            record: 0,
            shown: 0,
            shown_line: None,
            overlong: None,
            state: State::Start,
        }
    }

    pub(in crate::input) fn into_buffer(self) -> Vec<u8> {
        self.window.into_buffer()
    }

    pub(in crate::input) fn next(&mut self) -> Option<Result<Located<Record<'_>>, Fault>> {
        match self.shown_line.take() {
            Some(length) => self.window.pass_lines(length, 1),
            None => self.window.pass(self.shown),
        }
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
                if let Some(at) = self.overlong.take() {
                    self.record += 1;
                    return Some(Err(Fault::record(at, kind)));
                }
                self.state = State::Finished;
                // What follows behind the document is no record's.
                let record = match kind {
                    ProblemKind::SecondDocument => 0,
                    _ => self.record + 1,
                };
                let at = position(&self.window, record, 0);
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
        match record::read(text, fields) {
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
                None if searched > LONGEST_LINE => return self.pass_overlong(),
                None if self.window.more()? => continue,
                None => searched,
            };
            let line = &self.window.unread()[..end];
            let is_space = |byte: &&u8| scanner::SPACE.contains(*byte);
            let before = line.iter().take_while(is_space).count();
            let behind = line[before..].iter().rev().take_while(is_space).count();
            let length = line.len() - before - behind;
            if length > LARGEST_RECORD {
                return self.pass_overlong();
            }
            let has_end = end < self.window.unread().len();
            if length > 0 {
                if before > 0 {
                    self.window.pass(before);
                }
                self.shown_line = has_end.then_some(end - before + 1);
                return Ok(Some(length));
            }
            if !has_end {
                return Ok(None);
            }
            self.window.pass(end + 1);
            searched = 0;
        }
    }

    /// Passes the line that the window stands on; what follows it can be read.
    fn pass_overlong(&mut self) -> Result<Option<usize>, ProblemKind> {
        let at = position(&self.window, self.record + 1, 0);
        let mut passed = 0;
        while passed <= ENDLESS_LINE {
            let unread = self.window.unread();
            let end = memchr::memchr(b'\n', unread);
            let length = end.unwrap_or(unread.len());
            self.window.pass(length);
            passed += length;
            if end.is_some() || !self.window.more()? {
                self.overlong = Some(at);
                break;
            }
        }
        Err(ProblemKind::TooLong)
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
            Some(byte) if !record::starts_value(byte) => Err(syntax("expected value")),
            Some(byte) => Err(ProblemKind::NotList {
                found: record::kind(byte),
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
