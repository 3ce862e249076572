//! Where a JSON value starts and ends.

use std::io;

use super::{
    super::{
        bytes::Window,
        limits::LARGEST_RECORD,
        problem::{Position, ProblemKind},
    },
    record,
};

/// White space (RFC 8259 section 2).
pub(in crate::input) const SPACE: &[u8] = b" \t\r\n";

/// Passes white space and looks at what comes behind it.
pub(in crate::input) fn skip_space(window: &mut Window<'_>) -> io::Result<Option<u8>> {
    loop {
        let unread = window.unread();
        let space = unread
            .iter()
            .take_while(|byte| SPACE.contains(byte))
            .count();
        let next = unread.get(space).copied();
        window.pass(space);
        if next.is_some() || !window.more()? {
            return Ok(next);
        }
    }
}

/// Moves behind the key or index `step` of the object or list that comes next.
pub(in crate::input) fn enter(window: &mut Window<'_>, step: &str) -> Result<(), ProblemKind> {
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
            let key = record::string(&window.unread()[..length])
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
pub(in crate::input) fn measure(window: &mut Window<'_>) -> Result<usize, ProblemKind> {
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
pub(in crate::input) fn skip(window: &mut Window<'_>) -> Result<(), ProblemKind> {
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

/// Where a byte of the unread part stands.
pub(in crate::input) fn position(window: &Window<'_>, record: u64, index: usize) -> Position {
    let (line, column) = window.position(index);
    Position {
        record,
        line,
        column: Some(column),
    }
}

/// Malformed JSON.
pub(in crate::input) fn syntax(message: &str) -> ProblemKind {
    ProblemKind::Syntax(message.to_owned())
}
