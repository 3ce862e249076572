//! A buffer over a stream that knows the line and column of its unread bytes.

use std::io::{self, Read};

use super::verified_file::BLOCK_BYTES;

/// The most bytes of one read. A whole block lets a file be read into the buffer without a copy.
const MAX_READ_BYTES: usize = BLOCK_BYTES;

/// The bytes of the first read, small so that a small input touches little memory.
const FIRST_READ_BYTES: usize = 8 << 10;

/// A stream with the bytes that were read from it and are not consumed yet.
pub(in crate::input) struct LineBuffer<'i> {
    input: Box<dyn Read + Send + 'i>,
    buffer: Vec<u8>,
    /// The range of unread bytes in `buffer`.
    start: usize,
    end: usize,
    /// The bytes to ask for in the next read, doubled as long as the stream fills them.
    next_read_bytes: usize,
    /// The line of `start`, counted from 1.
    line: u64,
    /// The bytes of this line before `start`.
    line_offset: u64,
}

/// The place of a byte in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::input) struct LinePosition {
    /// The physical line, counted from 1.
    pub(in crate::input) line: u64,
    /// Bytes from the start of the line, counted from 1.
    pub(in crate::input) column: u64,
}

impl<'i> LineBuffer<'i> {
    pub(in crate::input) fn new(input: Box<dyn Read + Send + 'i>) -> Self {
        Self::prefilled(Vec::new(), 0, input)
    }

    /// Buffers a stream whose first `length` bytes are at the start of `buffer` already.
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

    /// Returns the bytes that were read and are not consumed yet.
    pub(in crate::input) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Appends bytes of the stream to [`Self::unread`]. Returns `false` at the end of the stream.
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

    /// Returns the line of the first unread byte, counted from 1.
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

    /// Consumes `length` bytes that the caller knows to be `lines` whole lines.
    pub(in crate::input) fn consume_lines(&mut self, length: usize, lines: u64) {
        self.start += length;
        self.line += lines;
        self.line_offset = 0;
    }
}

/// The line feeds in some bytes.
struct LineFeeds {
    count: u64,
    /// The index of the last one.
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
