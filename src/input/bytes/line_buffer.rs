//! A view of the unread part of a stream that knows the line it stands on.

use std::io::{self, Read};

use super::content;

/// How much is read at a time, at most: so much that a file is read straight into the buffer.
const CHUNK: usize = content::BLOCK;

/// How much is read first. Memory that is never touched costs nothing.
const FIRST: usize = 8 << 10;

pub(in crate::input) struct Window<'i> {
    input: Box<dyn Read + Send + 'i>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// How much is read next: more and more as long as there is as much.
    room: usize,
    /// Lines are counted from 1.
    line: u64,
    /// Bytes of the current line before `start`.
    column: u64,
}

impl<'i> Window<'i> {
    pub(in crate::input) fn new(input: Box<dyn Read + Send + 'i>) -> Self {
        Self::behind(Vec::new(), 0, input)
    }

    /// Of a stream whose first bytes have been read already: so many of the buffer's.
    pub(in crate::input) fn behind(
        buffer: Vec<u8>,
        length: usize,
        input: Box<dyn Read + Send + 'i>,
    ) -> Self {
        Self {
            input,
            buffer,
            start: 0,
            end: length,
            room: FIRST,
            line: 1,
            column: 0,
        }
    }

    /// The buffer, to be used again.
    pub(in crate::input) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// What has been read and not been passed yet.
    pub(in crate::input) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads on; `false` at the end of the stream.
    pub(in crate::input) fn more(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < self.room {
            self.buffer.resize(self.end + self.room, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.end += read;
                    if read >= self.room {
                        self.room = CHUNK.min(2 * self.room);
                    }
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The line and column, both counted from 1, of a byte of [`Self::unread`].
    pub(in crate::input) fn position(&self, index: usize) -> (u64, u64) {
        if index == 0 {
            return (self.line, self.column + 1);
        }
        let (lines, last) = lines(&self.unread()[..index]);
        match last {
            None => (self.line, self.column + index as u64 + 1),
            Some(last) => (self.line + lines, (index - last) as u64),
        }
    }

    /// The line that the unread part starts on.
    pub(in crate::input) fn line(&self) -> u64 {
        self.line
    }

    /// Passes so many bytes that are so many whole lines.
    pub(in crate::input) fn pass_lines(&mut self, length: usize, lines: u64) {
        self.start += length;
        self.line += lines;
        self.column = 0;
    }

    /// Passes the first `length` bytes of [`Self::unread`].
    pub(in crate::input) fn pass(&mut self, length: usize) {
        let (lines, last) = lines(&self.buffer[self.start..self.start + length]);
        self.line += lines;
        match last {
            None => self.column += length as u64,
            Some(last) => self.column = (length - last - 1) as u64,
        }
        self.start += length;
    }
}

/// The number of line feeds, and the index of the last.
fn lines(bytes: &[u8]) -> (u64, Option<usize>) {
    (
        memchr::memchr_iter(b'\n', bytes).count() as u64,
        memchr::memrchr(b'\n', bytes),
    )
}
