//! The reader of NDJSON records: one JSON object per line.

use super::{
    super::{
        bytes::LineBuffer,
        field_parser::FieldParser,
        limits::{MAX_LINE_BYTES, MAX_RECORD_BYTES, MAX_SKIPPED_BYTES},
        options::InputOptions,
        position::{Located, Position},
        problem::ReadError,
        problem_kind::ProblemKind,
    },
    record,
    scanner::{is_space, position_at},
};
use crate::record::Record;

/// A reader of the records in NDJSON. The reader continues after a malformed line.
pub(in crate::input) struct NdjsonReader<'i> {
    buffer: LineBuffer<'i>,
    fields: FieldParser<'i>,
    /// The number of records read so far.
    record_count: u64,
    /// The length of the record that [`NdjsonReader::next`] returned last and has not consumed yet.
    returned: Returned,
    is_finished: bool,
}

/// The length of a returned record. The record stays at the start of the unread bytes until
/// [`NdjsonReader::next`] consumes the record.
#[derive(Clone, Copy, Debug)]
enum Returned {
    /// The number of bytes from the start of the record to the end of its line, including the line
    /// feed.
    Line(usize),
    /// The number of bytes of a record in a last line without a line feed, or 0 if no record is
    /// left to consume.
    Rest(usize),
}

/// The next line that is not blank, or the end of the text.
enum Line {
    /// A line with a record. The record is the first `length` unread bytes.
    Record {
        length: usize,
    },
    /// A line that was skipped, because it is too long to be read. The line starts at `position`.
    TooLong {
        position: Position,
    },
    End,
}

impl<'i> NdjsonReader<'i> {
    pub(in crate::input) fn new(buffer: LineBuffer<'i>, options: &'i InputOptions) -> Self {
        Self {
            buffer,
            fields: FieldParser::new(options),
            record_count: 0,
            returned: Returned::Rest(0),
            is_finished: false,
        }
    }

    pub(in crate::input) fn into_buffer(self) -> Vec<u8> {
        self.buffer.into_buffer()
    }

    /// Returns the next record or its problem. Returns `None` at the end of the text and after a
    /// fatal error.
    pub(in crate::input) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        match std::mem::replace(&mut self.returned, Returned::Rest(0)) {
            Returned::Line(length) => self.buffer.consume_lines(length, 1),
            Returned::Rest(length) => self.buffer.consume(length),
        }
        if self.is_finished {
            return None;
        }
        match self.next_line() {
            Ok(Line::Record { length }) => Some(self.parse(length)),
            Ok(Line::TooLong { position }) => {
                self.record_count += 1;
                Some(Err(ReadError::in_record(
                    position,
                    ProblemKind::RecordTooLong,
                )))
            }
            Ok(Line::End) => {
                self.is_finished = true;
                None
            }
            Err(kind) => {
                self.is_finished = true;
                let position = position_at(&self.buffer, self.record_count + 1, 0);
                Some(Err(ReadError::fatal(Some(position), kind)))
            }
        }
    }

    /// Parses the record in the next `length` bytes.
    fn parse(&mut self, length: usize) -> Result<Located<Record<'_>>, ReadError> {
        self.record_count += 1;
        match record::parse(&self.buffer.unread()[..length], &self.fields) {
            Ok(value) => {
                let position = position_at(&self.buffer, self.record_count, 0);
                Ok(Located { position, value })
            }
            Err(error) => {
                let index = error.offset.min(length);
                let position = position_at(&self.buffer, self.record_count, index);
                Err(ReadError::in_record(position, error.kind))
            }
        }
    }

    /// Moves to the first byte of the next record, past whitespace and blank lines. Skips the line
    /// if it is too long.
    fn next_line(&mut self) -> Result<Line, ProblemKind> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.unread();
            let end = memchr::memchr(b'\n', &unread[searched..]).map(|index| searched + index);
            searched = unread.len();
            let end = match end {
                Some(end) => end,
                None if searched > MAX_LINE_BYTES => return self.skip_overlong_line(),
                None if self.buffer.read_more()? => continue,
                None => searched,
            };
            let line = &self.buffer.unread()[..end];
            let before = line.iter().take_while(|byte| is_space(**byte)).count();
            let after = line[before..]
                .iter()
                .rev()
                .take_while(|byte| is_space(**byte))
                .count();
            let length = line.len() - before - after;
            if length > MAX_RECORD_BYTES {
                return self.skip_overlong_line();
            }
            let has_line_feed = end < self.buffer.unread().len();
            if length > 0 {
                if before > 0 {
                    self.buffer.consume(before);
                }
                self.returned = if has_line_feed {
                    Returned::Line(end - before + 1)
                } else {
                    Returned::Rest(length)
                };
                return Ok(Line::Record { length });
            }
            if !has_line_feed {
                return Ok(Line::End);
            }
            self.buffer.consume(end + 1);
            searched = 0;
        }
    }

    /// Consumes the next line up to its line feed, which stays unread.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::RecordTooLong`] if the line is longer than [`MAX_SKIPPED_BYTES`].
    fn skip_overlong_line(&mut self) -> Result<Line, ProblemKind> {
        let position = position_at(&self.buffer, self.record_count + 1, 0);
        let mut skipped = 0;
        while skipped <= MAX_SKIPPED_BYTES {
            let unread = self.buffer.unread();
            let end = memchr::memchr(b'\n', unread);
            let length = end.unwrap_or(unread.len());
            self.buffer.consume(length);
            skipped += length;
            if end.is_some() || !self.buffer.read_more()? {
                return Ok(Line::TooLong { position });
            }
        }
        Err(ProblemKind::RecordTooLong)
    }
}
