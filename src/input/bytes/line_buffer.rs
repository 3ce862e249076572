//! A stream buffer that counts lines and columns. The parser has not consumed unread bytes yet.

use std::io::{self, Read};

use super::{super::position::Position, verified_file::BLOCK_BYTES};

/// The number of bytes to ask for in the first read, which keeps the buffer of a small input small.
/// The number doubles up to a whole block, which `VerifiedFile` reads without a copy.
const FIRST_READ_BYTES: usize = 8 << 10;

/// One thread reads an input with fewer bytes faster than several threads.
const MIN_CHUNK_BYTES: usize = BLOCK_BYTES;

pub(in crate::input) struct LineBuffer<'i> {
    input: Box<dyn Read + Send + 'i>,
    buffer: Vec<u8>,
    /// The range `start..end` of `buffer` contains the unread bytes.
    start: usize,
    end: usize,
    next_read_bytes: usize,
    error: Option<io::Error>,
    line: u64,
    /// The number of bytes in the same line before the byte at `start`.
    line_offset: usize,
}

impl<'i> LineBuffer<'i> {
    pub(in crate::input) fn new(input: Box<dyn Read + Send + 'i>) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            next_read_bytes: FIRST_READ_BYTES,
            error: None,
            line: 1,
            line_offset: 0,
        }
    }

    pub(in crate::input) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns `false` at the end of the stream.
    pub(in crate::input) fn read_more(&mut self) -> io::Result<bool> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < self.next_read_bytes {
            self.buffer.resize(self.end + self.next_read_bytes, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.end += read;
                    if read >= self.next_read_bytes {
                        self.next_read_bytes = BLOCK_BYTES.min(2 * self.next_read_bytes);
                    }
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves a chunk of whole lines into a buffer of its own. Returns `None` if less than a chunk
    /// is left, or if `can_move` returns `false` for the lines.
    pub(in crate::input) fn split_off_chunk(
        &mut self,
        can_move: impl FnOnce(&[u8]) -> bool,
    ) -> Option<LineBuffer<'i>> {
        while self.unread().len() < MIN_CHUNK_BYTES {
            match self.read_more() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.error = Some(error);
                    return None;
                }
            }
        }
        let length = memchr::memrchr(b'\n', self.unread())? + 1;
        let lines = &self.unread()[..length];
        if !can_move(lines) {
            return None;
        }
        let chunk = LineBuffer {
            buffer: lines.to_vec(),
            end: length,
            line: self.line,
            ..LineBuffer::new(Box::new(io::empty()))
        };
        self.consume(length);
        Some(chunk)
    }

    pub(in crate::input) fn line(&self) -> u64 {
        self.line
    }

    pub(in crate::input) fn position(&self, record: u64, index: usize) -> Position {
        let place = self.place_after(index);
        Position {
            record,
            line: place.line,
            column: Some(place.line_offset as u64 + 1),
        }
    }

    pub(in crate::input) fn consume(&mut self, length: usize) {
        let place = self.place_after(length);
        self.line = place.line;
        self.line_offset = place.line_offset;
        self.start += length;
    }

    /// The last byte must be a line feed, unless the caller uses no columns of later positions.
    pub(in crate::input) fn consume_lines(&mut self, length: usize, lines: u64) {
        self.start += length;
        self.line += lines;
        self.line_offset = 0;
    }

    fn place_after(&self, length: usize) -> Place {
        let bytes = &self.unread()[..length];
        match memchr::memrchr(b'\n', bytes) {
            None => Place {
                line: self.line,
                line_offset: self.line_offset + length,
            },
            Some(last) => Place {
                line: self.line + memchr::memchr_iter(b'\n', bytes).count() as u64,
                line_offset: length - last - 1,
            },
        }
    }
}

/// The line number of a byte, and the number of bytes before it in the line.
struct Place {
    line: u64,
    line_offset: usize,
}
