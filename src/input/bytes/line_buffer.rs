//! A stream buffer that counts lines and columns.
//!
//! Unread bytes are the bytes in the buffer that the parser has not consumed yet.

use std::io::{self, Read};

use super::verified_file::BLOCK_BYTES;

/// The maximum number of bytes to ask for in one read. A read of a whole block lets `VerifiedFile`
/// read the block directly into the buffer, without a copy.
const MAX_READ_BYTES: usize = BLOCK_BYTES;

/// The number of bytes to ask for in the first read. A small number keeps the buffer of a small
/// input small.
const FIRST_READ_BYTES: usize = 8 << 10;

/// A stream, with a buffer for the unread bytes.
pub(in crate::input) struct LineBuffer<'i> {
    input: Box<dyn Read + Send + 'i>,
    buffer: Vec<u8>,
    /// The range `start..end` of `buffer` contains the unread bytes.
    start: usize,
    end: usize,
    /// The number of bytes to ask for in the next read. The number doubles, up to
    /// [`MAX_READ_BYTES`], after each read that returns at least this number of bytes.
    next_read_bytes: usize,
    /// The line number of the byte at `start`, counted from 1.
    line: u64,
    /// The number of bytes in the same line before the byte at `start`.
    line_offset: u64,
}

/// The line and the column of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::input) struct LinePosition {
    /// The number of the physical line, counted from 1.
    pub(in crate::input) line: u64,
    /// The number of the byte in the line, counted from 1.
    pub(in crate::input) column: u64,
}

impl<'i> LineBuffer<'i> {
    pub(in crate::input) fn new(input: Box<dyn Read + Send + 'i>) -> Self {
        Self::prefilled(Vec::new(), 0, input)
    }

    /// Returns a buffer over a stream whose first `length` bytes have already been read into
    /// `buffer`. `input` must return the bytes after the first `length` bytes.
    pub(in crate::input) fn prefilled(
        buffer: Vec<u8>,
        length: usize,
        input: Box<dyn Read + Send + 'i>,
    ) -> Self {
        Self {
            input,
            buffer,
            start: 0,
            end: length,
            next_read_bytes: FIRST_READ_BYTES,
            line: 1,
            line_offset: 0,
        }
    }

    /// Returns the memory of the buffer for reuse.
    pub(in crate::input) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Returns the unread bytes.
    pub(in crate::input) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads bytes from the stream and appends them to [`Self::unread`]. Returns `false` at the end
    /// of the stream.
    pub(in crate::input) fn read_more(&mut self) -> io::Result<bool> {
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
                        self.next_read_bytes = MAX_READ_BYTES.min(2 * self.next_read_bytes);
                    }
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the position of the byte at `index` of [`Self::unread`].
    pub(in crate::input) fn position(&self, index: usize) -> LinePosition {
        let (line, offset) = if index == 0 {
            (self.line, self.line_offset)
        } else {
            let line_feeds = LineFeeds::find(&self.unread()[..index]);
            match line_feeds.last {
                None => (self.line, self.line_offset + index as u64),
                Some(last) => (self.line + line_feeds.count, (index - last - 1) as u64),
            }
        };
        LinePosition {
            line,
            column: offset + 1,
        }
    }

    /// Returns the line number of the first unread byte, counted from 1.
    pub(in crate::input) fn line(&self) -> u64 {
        self.line
    }

    /// Consumes the first `length` bytes of [`Self::unread`].
    pub(in crate::input) fn consume(&mut self, length: usize) {
        let line_feeds = LineFeeds::find(&self.buffer[self.start..self.start + length]);
        self.line += line_feeds.count;
        match line_feeds.last {
            None => self.line_offset += length as u64,
            Some(last) => self.line_offset = (length - last - 1) as u64,
        }
        self.start += length;
    }

    /// Consumes `length` bytes that contain `lines` line feeds. The last of these bytes must be a
    /// line feed, unless the caller uses no columns of later positions.
    pub(in crate::input) fn consume_lines(&mut self, length: usize, lines: u64) {
        self.start += length;
        self.line += lines;
        self.line_offset = 0;
    }
}

/// The line feeds in a slice of bytes.
struct LineFeeds {
    count: u64,
    /// The index of the last line feed, or `None` if the slice has no line feed.
    last: Option<usize>,
}

impl LineFeeds {
    fn find(bytes: &[u8]) -> Self {
        Self {
            count: memchr::memchr_iter(b'\n', bytes).count() as u64,
            last: memchr::memrchr(b'\n', bytes),
        }
    }
}
