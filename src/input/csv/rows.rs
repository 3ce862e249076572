//! The rows of CSV text, with the bytes that each was read from.
//!
//! Most rows have no quote. Those end at the next line feed and are split at the delimiters; the
//! CSV parser reads the others. Where a stretch of text has neither a quote nor a NUL, that is
//! found out for all its rows at once. Together that takes a seventh of the parser's instructions,
//! and reading is most of what a push costs.

use csv_core::{ReadRecordResult, Terminator};

use super::super::{
    bytes::LineBuffer,
    limits::{MAX_LINE_BYTES, MAX_RECORD_BYTES, MAX_SKIPPED_BYTES},
    problem::ProblemKind,
};

pub(in crate::input) struct Rows<'i> {
    window: LineBuffer<'i>,
    /// Made for the first row with quotes: its tables take a quarter of a million instructions.
    parser: Option<Box<csv_core::Reader>>,
    delimiter: u8,
    /// How many of the unread bytes are known to have no quote and no NUL among them.
    plain: usize,
    /// Whether there are carriage returns among those.
    has_returns: bool,
    /// The row's length in the window.
    length: usize,
    /// Line feeds in the row.
    lines: u64,
    kind: Kind,
    unquoted: Vec<u8>,
    /// Where each cell ends; the next starts behind it, in the window behind a delimiter.
    ends: Vec<usize>,
}

/// How a row was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Whole out of plain text without carriage returns: nothing can be wrong with it.
    Plain,
    Unquoted,
    /// By the parser: its cells are in [`Rows::unquoted`], those of the others in the window.
    Quoted,
    /// Not at all: it is too long, and has been passed. Its cells were counted.
    Overlong {
        width: usize,
    },
}

impl<'i> Rows<'i> {
    pub(in crate::input) fn new(window: LineBuffer<'i>, delimiter: u8) -> Self {
        Self {
            window,
            parser: None,
            delimiter,
            plain: 0,
            has_returns: false,
            length: 0,
            lines: 0,
            kind: Kind::Unquoted,
            unquoted: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// The window's buffer, to be used again.
    pub(in crate::input) fn into_buffer(self) -> Vec<u8> {
        self.window.into_buffer()
    }

    /// The physical line of the row, or of what comes next.
    pub(in crate::input) fn line(&self) -> u64 {
        self.window.line()
    }

    /// Reads the next row that is not blank; whether there is one.
    pub(in crate::input) fn advance(&mut self) -> Result<bool, ProblemKind> {
        self.pass(self.length, self.lines);
        (self.length, self.lines) = (0, 0);
        loop {
            match self.window.unread() {
                [b'\n', ..] => self.pass(1, 1),
                [b'\r', b'\n', ..] => self.pass(2, 1),
                [] | [b'\r'] => {
                    if !self.more()? {
                        if self.window.unread().is_empty() {
                            return Ok(false);
                        }
                        break;
                    }
                }
                _ => break,
            }
        }
        if self.advance_plain() {
            return Ok(true);
        }
        let mut searched = 0;
        loop {
            let unread = self.window.unread();
            match memchr::memchr2(b'"', b'\n', &unread[searched..]) {
                Some(index) if unread[searched + index] == b'\n' => {
                    self.length = searched + index + 1;
                    self.lines = 1;
                    break;
                }
                Some(_) => return self.parse().map(|()| true),
                None if unread.len() > MAX_LINE_BYTES => {
                    return self.pass_overlong().map(|()| true);
                }
                None => searched = unread.len(),
            }
            if !self.more()? {
                self.length = searched;
                break;
            }
        }
        self.kind = Kind::Unquoted;
        self.ends.clear();
        let body = body(&self.window.unread()[..self.length]);
        self.ends.extend(memchr::memchr_iter(self.delimiter, body));
        self.ends.push(body.len());
        Ok(true)
    }

    /// Passes a row without quotes as far as its end.
    fn pass_overlong(&mut self) -> Result<(), ProblemKind> {
        let mut width = 1;
        let mut passed = 0;
        loop {
            let unread = self.window.unread();
            let end = memchr::memchr(b'\n', unread);
            let row = &unread[..end.unwrap_or(unread.len())];
            width += memchr::memchr_iter(self.delimiter, row).count();
            if let Some(end) = end {
                (self.length, self.lines) = (end + 1, 1);
                break;
            }
            let length = row.len();
            self.pass(length, 0);
            passed += length;
            if passed > MAX_SKIPPED_BYTES {
                return Err(ProblemKind::RecordTooLong);
            }
            if !self.more()? {
                break;
            }
        }
        self.kind = Kind::Overlong { width };
        Ok(())
    }

    /// Passes so many bytes that are so many whole lines.
    fn pass(&mut self, length: usize, lines: u64) {
        self.window.consume_lines(length, lines);
        self.plain = self.plain.saturating_sub(length);
    }

    /// Reads the next row, which is not blank, if it is plain and stands in the window whole.
    fn advance_plain(&mut self) -> bool {
        let unread = self.window.unread();
        if self.plain == 0 {
            self.plain = memchr::memchr2(b'"', 0, unread).unwrap_or(unread.len());
            self.has_returns = memchr::memchr(b'\r', &unread[..self.plain]).is_some();
        }
        let plain = &unread[..self.plain];
        self.ends.clear();
        for index in memchr::memchr2_iter(self.delimiter, b'\n', plain) {
            if plain[index] != b'\n' {
                self.ends.push(index);
                continue;
            }
            self.kind = Kind::Plain;
            let mut end = index;
            if self.has_returns {
                self.kind = Kind::Unquoted;
                end -= usize::from(plain[..index].ends_with(b"\r"));
            }
            self.ends.push(end);
            (self.length, self.lines) = (index + 1, 1);
            return true;
        }
        false
    }

    /// Reads on; `false` at the end.
    fn more(&mut self) -> Result<bool, ProblemKind> {
        if self.window.unread().len() > 2 * MAX_RECORD_BYTES {
            return Err(ProblemKind::RecordTooLong);
        }
        self.window.read_more().map_err(ProblemKind::from)
    }

    /// Reads a row with quotes.
    fn parse(&mut self) -> Result<(), ProblemKind> {
        let mut parser = self.parser.take().unwrap_or_else(|| {
            let mut builder = csv_core::ReaderBuilder::new();
            // A carriage return alone would end a row too. Left in the data it can be refused, and
            // taken off before a line feed.
            let builder = builder.terminator(Terminator::Any(b'\n'));
            Box::new(builder.delimiter(self.delimiter).build())
        });
        parser.reset();
        self.kind = Kind::Quoted;
        let (mut read, mut written, mut cells) = (0, 0, 0);
        let mut at_end = false;
        loop {
            let unread = &self.window.unread()[read..];
            let (result, taken, out, ends) = parser.read_record(
                unread,
                &mut self.unquoted[written..],
                &mut self.ends[cells..],
            );
            read += taken;
            written += out;
            cells += ends;
            match result {
                // With nothing given, the parser takes the input for ended.
                ReadRecordResult::InputEmpty if !at_end => at_end = !self.more()?,
                ReadRecordResult::OutputFull => self.unquoted.resize(2 * written + 1024, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * cells + 16, 0),
                ReadRecordResult::InputEmpty | ReadRecordResult::Record | ReadRecordResult::End => {
                    break;
                }
            }
        }
        self.parser = Some(parser);
        self.length = read;
        self.lines = memchr::memchr_iter(b'\n', &self.window.unread()[..read]).count() as u64;
        self.ends.truncate(cells);
        Ok(())
    }

    /// The number of cells.
    pub(in crate::input) fn width(&self) -> usize {
        match self.kind {
            Kind::Overlong { width } => width,
            Kind::Plain | Kind::Unquoted | Kind::Quoted => self.ends.len(),
        }
    }

    pub(in crate::input) fn cell(&self, index: usize) -> &[u8] {
        let end = self.ends[index];
        let before = index.checked_sub(1).map(|index| self.ends[index]);
        if self.kind != Kind::Quoted {
            let start = before.map_or(0, |end| end + 1);
            return &self.window.unread()[start..end];
        }
        let cell = &self.unquoted[before.unwrap_or(0)..end];
        if index + 1 == self.width() {
            cell.strip_suffix(b"\r").unwrap_or(cell)
        } else {
            cell
        }
    }

    /// What a lenient reader would have let pass in the row.
    pub(in crate::input) fn flaw(&self) -> Option<ProblemKind> {
        if matches!(self.kind, Kind::Overlong { .. }) {
            return Some(ProblemKind::RecordTooLong);
        }
        if self.kind == Kind::Plain && self.length <= MAX_RECORD_BYTES {
            return None;
        }
        let body = body(&self.window.unread()[..self.length]);
        if body.len() > MAX_RECORD_BYTES {
            return Some(ProblemKind::RecordTooLong);
        }
        if self.kind == Kind::Quoted
            && let Some(flaw) = quoting(body, self.delimiter)
        {
            return Some(flaw);
        }
        memchr::memchr2(b'\r', 0, body)?;
        if body.contains(&0) {
            return Some(ProblemKind::NulByte);
        }
        memchr::memchr_iter(b'\r', body)
            .any(|index| body.get(index + 1) != Some(&b'\n'))
            .then_some(ProblemKind::LoneCarriageReturn)
    }
}

/// A row without its line's end.
fn body(row: &[u8]) -> &[u8] {
    match row.strip_suffix(b"\n") {
        Some(body) => body.strip_suffix(b"\r").unwrap_or(body),
        None => row,
    }
}

/// RFC 4180 section 2: a quote stands around a whole field, or doubled inside one.
fn quoting(row: &[u8], delimiter: u8) -> Option<ProblemKind> {
    let mut rest = row;
    loop {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            let mut inside = quoted;
            rest = loop {
                let Some(index) = memchr::memchr(b'"', inside) else {
                    return Some(ProblemKind::Truncated);
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
            Some((byte, behind)) if *byte == delimiter => rest = behind,
            Some(_) => return Some(ProblemKind::BareQuote),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows_of(text: &[u8]) -> Rows<'_> {
        Rows::new(LineBuffer::new(Box::new(text)), b',')
    }

    /// The cells of all rows, and the line that each row starts on.
    fn read(text: &[u8]) -> Vec<(u64, Vec<Vec<u8>>)> {
        let mut rows = rows_of(text);
        let mut read = Vec::new();
        while rows.advance().expect("short rows") {
            let cells = (0..rows.width()).map(|index| rows.cell(index).to_vec());
            read.push((rows.line(), cells.collect()));
        }
        read
    }

    /// The same by the CSV parser alone, which does not count lines as people do.
    fn parse(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut parser = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(text);
        let rows = parser.byte_records().map(|row| {
            let row = row.expect("bytes are never wrong");
            let mut cells: Vec<_> = row.iter().map(<[u8]>::to_vec).collect();
            if let Some(last) = cells.last_mut()
                && last.ends_with(b"\r")
            {
                last.pop();
            }
            cells
        });
        // Blank lines that end in CRLF are rows to it.
        rows.filter(|cells| *cells != [Vec::<u8>::new()]).collect()
    }

    #[test]
    fn lines_are_counted_where_rows_start() {
        let rows = read(b"\n\r\na,b\n\"x\n\"\"y\",c\r\n\r\nd\n\"e\"");
        let cell = |text: &str| text.as_bytes().to_vec();
        assert_eq!(
            rows,
            [
                (3, vec![cell("a"), cell("b")]),
                (4, vec![cell("x\n\"y"), cell("c")]),
                (7, vec![cell("d")]),
                (8, vec![cell("e")]),
            ]
        );
    }

    proptest! {
        #[test]
        fn rows_without_quotes_are_read_as_the_parser_reads_them(
            text in proptest::collection::vec(prop::sample::select(b"ab,,\"\n\r ".to_vec()), 0..60)
        ) {
            let cells: Vec<_> = read(&text).into_iter().map(|(_, cells)| cells).collect();
            // What is refused may be read in any way.
            let mut rows = rows_of(&text);
            let mut is_sound = true;
            while rows.advance().expect("short rows") {
                is_sound &= rows.flaw().is_none();
            }
            let cells = cells.into_iter().filter(|cells| *cells != [Vec::<u8>::new()]).collect::<Vec<_>>();
            if is_sound {
                prop_assert_eq!(cells, parse(&text));
            }
        }
    }
}
