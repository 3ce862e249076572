//! Finds the start and the end of JSON values in a stream, without parsing the values.

use std::io;

use super::{
    super::{
        bytes::LineBuffer,
        excerpt::Excerpt,
        options::{MAX_RECORD_BYTES, format_pointer},
        problem::ProblemKind,
    },
    record,
};

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Consumes white space. Returns the byte after it, or `None` at the end of the text.
pub(super) fn skip_space(buffer: &mut LineBuffer<'_>) -> io::Result<Option<u8>> {
    loop {
        let unread = buffer.unread();
        let space = unread.iter().take_while(|byte| is_space(**byte)).count();
        let next = unread.get(space).copied();
        buffer.consume(space);
        if next.is_some() || !buffer.read_more()? {
            return Ok(next);
        }
    }
}

pub(super) fn enter_path(buffer: &mut LineBuffer<'_>, path: &[String]) -> Result<(), ProblemKind> {
    for (depth, step) in path.iter().enumerate() {
        let mut keys = Vec::new();
        if !enter_member(buffer, step, &mut keys)? {
            return Err(ProblemKind::PointerNotFound {
                pointer: format_pointer(path),
                parent: format_pointer(&path[..depth]),
                keys,
            });
        }
    }
    Ok(())
}

/// Returns `false` if there is no such member. Adds the other keys of the object to `keys`.
fn enter_member(
    buffer: &mut LineBuffer<'_>,
    step: &str,
    keys: &mut Vec<Excerpt>,
) -> Result<bool, ProblemKind> {
    let is_object = match skip_space(buffer)? {
        Some(b'{') => true,
        Some(b'[') => false,
        _ => return Ok(false),
    };
    buffer.consume(1);
    for index in 0_u64.. {
        if matches!(skip_space(buffer)?, None | Some(b'}' | b']')) {
            break;
        }
        let is_step = if is_object {
            let key = read_key(buffer)?;
            keys.push(Excerpt::from_text(&key));
            key == step
        } else {
            index.to_string() == step
        };
        if is_step {
            return Ok(true);
        }
        skip_member(buffer)?;
    }
    Ok(false)
}

pub(super) fn read_key(buffer: &mut LineBuffer<'_>) -> Result<String, ProblemKind> {
    let length = measure_value(buffer)?;
    let key = record::parse_string(&buffer.unread()[..length])
        .map_err(|error| record::syntax_problem(&error))?
        .into_owned();
    buffer.consume(length);
    if skip_space(buffer)? != Some(b':') {
        return Err(syntax("expected \":\""));
    }
    buffer.consume(1);
    Ok(key)
}

/// Consumes the next value and the comma after it.
pub(super) fn skip_member(buffer: &mut LineBuffer<'_>) -> Result<(), ProblemKind> {
    skip_space(buffer)?;
    skip_value(buffer)?;
    skip_byte(buffer, b',')
}

/// Consumes white space, and the byte after it if it is the wanted one.
pub(super) fn skip_byte(buffer: &mut LineBuffer<'_>, wanted: u8) -> Result<(), ProblemKind> {
    if skip_space(buffer)? == Some(wanted) {
        buffer.consume(1);
    }
    Ok(())
}

pub(super) fn measure_value(buffer: &mut LineBuffer<'_>) -> Result<usize, ProblemKind> {
    let mut scanner = ValueScanner::default();
    let mut scanned = 0;
    let length = loop {
        let unread = buffer.unread();
        if let Some(end) = scanner.find_end(&unread[scanned..]) {
            break scanned + end;
        }
        scanned = unread.len();
        if scanned > MAX_RECORD_BYTES {
            break scanned;
        }
        if !buffer.read_more()? {
            if scanner.is_open() || scanned == 0 {
                return Err(ProblemKind::TruncatedJson);
            }
            break scanned;
        }
    };
    match length {
        0 => Err(syntax("expected value")),
        length if length > MAX_RECORD_BYTES => Err(ProblemKind::RecordTooLong),
        length => Ok(length),
    }
}

fn skip_value(buffer: &mut LineBuffer<'_>) -> Result<(), ProblemKind> {
    let mut scanner = ValueScanner::default();
    loop {
        let unread = buffer.unread();
        let end = scanner.find_end(unread);
        let length = end.unwrap_or(unread.len());
        buffer.consume(length);
        if end.is_some() {
            return Ok(());
        }
        if !buffer.read_more()? {
            return Err(ProblemKind::TruncatedJson);
        }
    }
}

/// Finds the end of a value by brackets and quotes, and does not check the rest of the syntax.
#[derive(Default)]
struct ValueScanner {
    depth: u64,
    is_in_string: bool,
    is_escaped: bool,
}

impl ValueScanner {
    fn is_open(&self) -> bool {
        self.depth > 0 || self.is_in_string
    }

    /// Returns the index after the last byte of the value, or `None` if it is not in `bytes`.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut index = 0;
        while let Some(byte) = bytes.get(index) {
            if self.is_escaped {
                self.is_escaped = false;
            } else if self.is_in_string {
                index += memchr::memchr2(b'"', b'\\', &bytes[index..])?;
                self.is_escaped = bytes[index] == b'\\';
                self.is_in_string = self.is_escaped;
                if !self.is_open() {
                    return Some(index + 1);
                }
            } else {
                match byte {
                    b'"' => self.is_in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' if self.depth > 1 => self.depth -= 1,
                    b'}' | b']' if self.depth == 1 => {
                        self.depth = 0;
                        return Some(index + 1);
                    }
                    b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => {
                        return Some(index);
                    }
                    _ => {}
                }
            }
            index += 1;
        }
        None
    }
}

pub(super) fn syntax(message: &str) -> ProblemKind {
    ProblemKind::JsonSyntax(message.to_owned())
}
