//! The reader of CSV rows. Only rows with quotes go through the parser of `csv_core`, which takes
//! seven times as many instructions. One search for quotes and controls serves many rows at once.

use csv_core::{ReadRecordResult, Terminator};

use super::super::{bytes::LineBuffer, options::MAX_SKIPPED_BYTES, problem::ProblemKind};

pub(super) struct RowReader<'i> {
    buffer: LineBuffer<'i>,
    /// Created for the first row with quotes, because its tables take 250,000 instructions.
    parser: Option<Box<csv_core::Reader>>,
    pub(super) delimiter: u8,
    max_row_bytes: usize,
    /// The number of unread bytes that are known to have no quote, or 0 before the next search.
    unquoted_bytes: usize,
    /// Whether these bytes contain carriage returns or NUL bytes.
    has_controls: bool,
    row_bytes: usize,
    row_lines: u64,
    kind: RowKind,
    /// The cells of a row with quotes, without quotes and delimiters.
    unquoted: Vec<u8>,
    /// The end of each cell of the current row: an index in `unquoted` for a row with quotes, or else
    /// in the unread bytes, which have a delimiter between two cells.
    cell_ends: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowKind {
    Unquoted,
    Quoted,
    Overlong { width: usize },
}

impl<'i> RowReader<'i> {
    pub(super) fn new(buffer: LineBuffer<'i>, delimiter: u8, max_row_bytes: usize) -> Self {
        Self {
            buffer,
            parser: None,
            delimiter,
            max_row_bytes,
            unquoted_bytes: 0,
            has_controls: false,
            row_bytes: 0,
            row_lines: 0,
            kind: RowKind::Unquoted,
            unquoted: Vec::new(),
            cell_ends: Vec::new(),
        }
    }

    /// Returns the line on which the current row starts, or after an error the line of the error.
    pub(super) fn line(&self) -> u64 {
        self.buffer.line()
    }

    /// Moves the next rows into a reader of their own, if they have no quotes: a line feed inside
    /// quotes does not end a row. The current row is moved as well if `moves_current` is true.
    pub(super) fn split_off_chunk(&mut self, moves_current: bool) -> Option<Self> {
        if !moves_current {
            self.consume_row();
        } else if self.kind != RowKind::Unquoted {
            return None;
        }
        self.unquoted_bytes = 0;
        let is_unquoted = |lines: &[u8]| memchr::memchr(b'"', lines).is_none();
        let chunk = self.buffer.split_off_chunk(is_unquoted)?;
        (self.row_bytes, self.row_lines) = (0, 0);
        Some(Self::new(chunk, self.delimiter, self.max_row_bytes))
    }

    /// Reads the next row that is not blank. Returns `false` at the end of the text.
    pub(super) fn advance(&mut self) -> Result<bool, ProblemKind> {
        loop {
            self.consume_row();
            if !self.skip_blank_lines()? {
                return Ok(false);
            }
            self.read_row()?;
            if !self.has_only_delimiters() {
                return Ok(true);
            }
        }
    }

    fn read_row(&mut self) -> Result<(), ProblemKind> {
        while !self.read_unquoted_row() {
            let length = self.buffer.unread().len();
            if self.unquoted_bytes < length {
                return self.parse_quoted_row();
            }
            // The row may end in a carriage return.
            if length > self.max_row_bytes + 1 {
                return self.skip_overlong_row();
            }
            if !self.read_more()? {
                self.end_unquoted_row(length);
                break;
            }
        }
        Ok(())
    }

    /// Spreadsheets write such rows for empty rows of the sheet. In a row without quotes, the last
    /// cell ends where the row ends.
    fn has_only_delimiters(&self) -> bool {
        self.kind == RowKind::Unquoted && self.cell_ends.last() == Some(&(self.cell_ends.len() - 1))
    }

    /// Returns the bytes of the current row, with its line ending.
    pub(super) fn text(&self) -> &[u8] {
        &self.buffer.unread()[..self.row_bytes]
    }

    pub(super) fn width(&self) -> usize {
        match self.kind {
            RowKind::Overlong { width } => width,
            RowKind::Unquoted | RowKind::Quoted => self.cell_ends.len(),
        }
    }

    /// The row must not be overlong.
    pub(super) fn cell(&self, index: usize) -> &[u8] {
        let end = self.cell_ends[index];
        let previous_end = index.checked_sub(1).map(|index| self.cell_ends[index]);
        if self.kind != RowKind::Quoted {
            let start = previous_end.map_or(0, |end| end + 1);
            return &self.buffer.unread()[start..end];
        }
        let cell = &self.unquoted[previous_end.unwrap_or(0)..end];
        if index + 1 == self.width() {
            cell.strip_suffix(b"\r").unwrap_or(cell)
        } else {
            cell
        }
    }

    pub(super) fn problem(&self) -> Option<ProblemKind> {
        if self.kind == RowKind::Unquoted
            && !self.has_controls
            && self.row_bytes <= self.max_row_bytes
        {
            return None;
        }
        if matches!(self.kind, RowKind::Overlong { .. }) {
            return Some(ProblemKind::RecordTooLong);
        }
        let row = trim_line_end(&self.buffer.unread()[..self.row_bytes]);
        if row.len() > self.max_row_bytes {
            return Some(ProblemKind::RecordTooLong);
        }
        if self.kind == RowKind::Quoted
            && let Some(problem) = quoting_problem(row, self.delimiter)
        {
            return Some(problem);
        }
        if row.contains(&0) {
            return Some(ProblemKind::NulByte);
        }
        memchr::memchr_iter(b'\r', row)
            .any(|index| row.get(index + 1) != Some(&b'\n'))
            .then_some(ProblemKind::LoneCarriageReturn)
    }

    fn skip_blank_lines(&mut self) -> Result<bool, ProblemKind> {
        loop {
            match self.buffer.unread() {
                [b'\n', ..] => self.consume(1, 1),
                [b'\r', b'\n', ..] => self.consume(2, 1),
                [] | [b'\r'] => {
                    if !self.read_more()? {
                        return Ok(!self.buffer.unread().is_empty());
                    }
                }
                _ => return Ok(true),
            }
        }
    }

    fn read_unquoted_row(&mut self) -> bool {
        let unread = self.buffer.unread();
        if self.unquoted_bytes == 0 {
            self.unquoted_bytes = memchr::memchr(b'"', unread).unwrap_or(unread.len());
            let unquoted = &unread[..self.unquoted_bytes];
            self.has_controls = memchr::memchr2(b'\r', 0, unquoted).is_some();
        }
        self.cell_ends.clear();
        let unquoted = &unread[..self.unquoted_bytes];
        for index in memchr::memchr2_iter(self.delimiter, b'\n', unquoted) {
            if unquoted[index] == b'\n' {
                self.row_lines = 1;
                self.end_unquoted_row(index + 1);
                return true;
            }
            self.cell_ends.push(index);
        }
        false
    }

    /// `cell_ends` must have the delimiters in the row.
    fn end_unquoted_row(&mut self, length: usize) {
        self.kind = RowKind::Unquoted;
        self.row_bytes = length;
        let row = trim_line_end(&self.buffer.unread()[..length]);
        self.cell_ends.push(row.len());
    }

    fn parse_quoted_row(&mut self) -> Result<(), ProblemKind> {
        let mut parser = self.parser.take().unwrap_or_else(|| {
            let mut builder = csv_core::ReaderBuilder::new();
            // A lone carriage return stays in the row, and `problem` reports it.
            let builder = builder.terminator(Terminator::Any(b'\n'));
            let mut parser = builder.delimiter(self.delimiter).build();
            // In its first call, the parser would remove a byte order mark from a token.
            parser.read_record(b"\n", &mut [], &mut []);
            Box::new(parser)
        });
        self.kind = RowKind::Quoted;
        let (mut read, mut written, mut cells) = (0, 0, 0);
        let mut is_at_end = false;
        loop {
            let unread = &self.buffer.unread()[read..];
            let (result, read_now, written_now, cells_now) = parser.read_record(
                unread,
                &mut self.unquoted[written..],
                &mut self.cell_ends[cells..],
            );
            read += read_now;
            written += written_now;
            cells += cells_now;
            match result {
                // At the end of the text, the parser gets no bytes and ends the row.
                ReadRecordResult::InputEmpty if !is_at_end => is_at_end = !self.read_more()?,
                ReadRecordResult::OutputFull => self.unquoted.resize(2 * written + 1024, 0),
                ReadRecordResult::OutputEndsFull => self.cell_ends.resize(2 * cells + 16, 0),
                ReadRecordResult::InputEmpty | ReadRecordResult::Record | ReadRecordResult::End => {
                    break;
                }
            }
        }
        self.parser = Some(parser);
        self.row_bytes = read;
        self.row_lines = memchr::memchr_iter(b'\n', &self.buffer.unread()[..read]).count() as u64;
        self.cell_ends.truncate(cells);
        Ok(())
    }

    fn skip_overlong_row(&mut self) -> Result<(), ProblemKind> {
        let mut width = 1;
        let mut skipped = 0;
        loop {
            let unread = self.buffer.unread();
            let end = memchr::memchr(b'\n', unread);
            let row = &unread[..end.unwrap_or(unread.len())];
            width += memchr::memchr_iter(self.delimiter, row).count();
            if let Some(end) = end {
                (self.row_bytes, self.row_lines) = (end + 1, 1);
                break;
            }
            let length = row.len();
            self.consume(length, 0);
            skipped += length;
            if skipped > MAX_SKIPPED_BYTES {
                return Err(ProblemKind::RecordTooLong);
            }
            if !self.read_more()? {
                break;
            }
        }
        self.kind = RowKind::Overlong { width };
        Ok(())
    }

    fn consume_row(&mut self) {
        self.consume(self.row_bytes, self.row_lines);
        (self.row_bytes, self.row_lines) = (0, 0);
    }

    fn consume(&mut self, length: usize, lines: u64) {
        self.buffer.consume_lines(length, lines);
        self.unquoted_bytes = self.unquoted_bytes.saturating_sub(length);
    }

    fn read_more(&mut self) -> Result<bool, ProblemKind> {
        // Without this limit, a missing closing quote would fill the buffer with the rest of the text.
        if self.buffer.unread().len() > 2 * self.max_row_bytes {
            return Err(ProblemKind::RecordTooLong);
        }
        self.unquoted_bytes = 0;
        self.buffer.read_more().map_err(ProblemKind::from)
    }
}

fn trim_line_end(row: &[u8]) -> &[u8] {
    match row.strip_suffix(b"\n") {
        Some(row) => row.strip_suffix(b"\r").unwrap_or(row),
        None => row,
    }
}

/// RFC 4180 section 2 allows quotes only around a whole cell, and inside it only doubled quotes.
fn quoting_problem(row: &[u8], delimiter: u8) -> Option<ProblemKind> {
    let mut rest = row;
    loop {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            let mut inside = quoted;
            rest = loop {
                let Some(index) = memchr::memchr(b'"', inside) else {
                    return Some(ProblemKind::UnterminatedQuote);
                };
                match inside.get(index + 1) {
                    Some(b'"') => inside = &inside[index + 2..],
                    _ => break &inside[index + 1..],
                }
            };
        } else {
            let end = memchr::memchr2(b'"', delimiter, rest).unwrap_or(rest.len());
            rest = &rest[end..];
        }
        match rest.split_first() {
            None => return None,
            Some((byte, after)) if *byte == delimiter => rest = after,
            Some(_) => return Some(ProblemKind::BareQuote),
        }
    }
}

#[cfg(test)]
mod tests;
