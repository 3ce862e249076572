//! CSV and TSV (RFC 4180), stricter than most readers: where they guess, this refuses.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::{
    LARGEST_RECORD,
    fields::Fields,
    options::{FieldRef, Names, Options},
    problem::{Excerpt, Fault, Field, Located, Position, ProblemKind, StreamError},
    window::CHUNK,
};
use crate::record::Record;

/// Reads rows; each is checked against the bytes that it was read from.
pub(super) struct CsvReader<'o, R> {
    rows: Rows<R>,
    fields: Fields<'o>,
    columns: Columns,
    record: u64,
    /// Without a header the first row has been read already, for its width: its line.
    pending: Option<u64>,
    finished: bool,
}

struct Columns {
    token: usize,
    time: usize,
    token_name: String,
    time_name: String,
    width: usize,
}

impl<'o, R: Read> CsvReader<'o, R> {
    /// Reads as far as the header, or the first row where there is no header. `None` is an input
    /// without any row.
    pub(super) fn open(
        input: R,
        options: &'o Options,
        delimiter: u8,
    ) -> Result<Option<Self>, Fault> {
        let mut rows = Rows::new(input, delimiter);
        let Some(line) = rows.advance()? else {
            return Ok(None);
        };
        let at = Position {
            record: 0,
            line,
            column: None,
        };
        let columns = if options.header {
            match rows.flaw() {
                Some(kind) => Err(kind),
                None => Columns::named(&rows, options),
            }
        } else {
            Columns::numbered(&rows, options)
        };
        Ok(Some(Self {
            columns: columns.map_err(|kind| Fault::fatal(Some(at), kind))?,
            rows,
            fields: Fields::new(options),
            record: 0,
            pending: (!options.header).then_some(line),
            finished: false,
        }))
    }

    pub(super) fn next(&mut self) -> Option<Result<Located<Record<'_>>, Fault>> {
        if self.finished {
            return None;
        }
        let row = match self.pending.take() {
            Some(line) => Ok(Some(line)),
            None => self.rows.advance(),
        };
        let line = match row {
            Ok(Some(line)) => line,
            Ok(None) => {
                self.finished = true;
                return None;
            }
            Err(fault) => {
                self.finished = true;
                return Some(Err(fault.in_record(self.record + 1)));
            }
        };
        let at = Position {
            record: self.record + 1,
            line,
            column: None,
        };
        match self.rows.flaw() {
            // The quote that was never closed has swallowed the rest of the file.
            Some(kind @ ProblemKind::Truncated) => {
                self.finished = true;
                return Some(Err(Fault::fatal(Some(at), kind)));
            }
            Some(kind) => {
                self.record += 1;
                return Some(Err(Fault::record(at, kind)));
            }
            None => self.record += 1,
        }
        Some(match self.record() {
            Ok(value) => Ok(Located { at, value }),
            Err(kind) => Err(Fault::record(at, kind)),
        })
    }

    fn record(&self) -> Result<Record<'_>, ProblemKind> {
        let columns = &self.columns;
        if self.rows.row.len() != columns.width {
            return Err(ProblemKind::Ragged {
                expected: columns.width,
                found: self.rows.row.len(),
            });
        }
        let text = |index: usize, name: &str| {
            std::str::from_utf8(self.rows.cell(index)).map_err(|_| ProblemKind::NotUtf8 {
                name: name.to_owned(),
            })
        };
        let token = text(columns.token, &columns.token_name)?;
        let time = text(columns.time, &columns.time_name)?;
        Ok(Record {
            token: self
                .fields
                .token(Cow::Borrowed(token), &columns.token_name)?,
            expires: self.fields.time(time, &columns.time_name)?,
        })
    }
}

impl Columns {
    /// Finds the columns by the names in the first row.
    fn named<R: Read>(rows: &Rows<R>, options: &Options) -> Result<Self, ProblemKind> {
        let cells: Vec<Cow<'_, str>> = (0..rows.row.len())
            .map(|index| String::from_utf8_lossy(rows.cell(index)))
            .collect();
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        let names = Names::new(options);
        let column = |field, wanted: &FieldRef| match wanted {
            FieldRef::Column(number) => index(*number, cells.len(), field),
            FieldRef::Usual | FieldRef::Name(_) => find(&cells, field, &names),
        };
        let token = column(Field::Token, &options.token)?;
        let time = column(Field::Time, &options.time)?;
        distinct(token, time, cells[token])?;
        let mut names: Vec<_> = cells.iter().filter(|cell| !cell.is_empty()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ProblemKind::DuplicateKey(Excerpt::of_name(pair[0])));
        }
        // By number the first row was not looked at so far.
        if is_like_value(cells[time]) {
            return Err(ProblemKind::NoHeader);
        }
        Ok(Self {
            token,
            time,
            token_name: name(&options.token, cells[token], token),
            time_name: name(&options.time, cells[time], time),
            width: cells.len(),
        })
    }

    /// Takes the columns by number: the first two unless others are asked for.
    fn numbered<R: Read>(rows: &Rows<R>, options: &Options) -> Result<Self, ProblemKind> {
        let number = |field: &FieldRef, usual| match field {
            FieldRef::Column(number) => *number,
            FieldRef::Usual | FieldRef::Name(_) => usual,
        };
        let width = rows.row.len();
        let (token, time) = (number(&options.token, 1), number(&options.time, 2));
        distinct(token, time, &token.to_string())?;
        Ok(Self {
            token: index(token, width, Field::Token)?,
            time: index(time, width, Field::Time)?,
            token_name: format!("column {token}"),
            time_name: format!("column {time}"),
            width,
        })
    }
}

/// What errors call a column: a cell that was not asked for by its text may hold anything.
fn name(wanted: &FieldRef, cell: &str, index: usize) -> String {
    match wanted {
        FieldRef::Column(_) => format!("column {}", index + 1),
        FieldRef::Usual | FieldRef::Name(_) => cell.to_owned(),
    }
}

/// One column can't be both.
fn distinct(token: usize, time: usize, name: &str) -> Result<(), ProblemKind> {
    if token == time {
        return Err(ProblemKind::SameField(Excerpt::of_name(name)));
    }
    Ok(())
}

fn index(number: usize, width: usize, field: Field) -> Result<usize, ProblemKind> {
    number
        .checked_sub(1)
        .filter(|index| *index < width)
        .ok_or(ProblemKind::NoColumn {
            field,
            number,
            width,
        })
}

/// Whether a cell of the first row is a number or a date rather than a name.
fn is_like_value(cell: &str) -> bool {
    cell.starts_with(|first: char| first.is_ascii_digit())
}

fn find(cells: &[&str], field: Field, names: &Names) -> Result<usize, ProblemKind> {
    let wanted = names.of(field);
    let mut matching = (0..)
        .zip(cells)
        .filter(|(_, cell)| wanted.iter().any(|name| name == *cell));
    match (matching.next(), matching.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some((_, first)), Some((_, second))) if first == second => {
            Err(ProblemKind::DuplicateKey(Excerpt::of_name(first)))
        }
        (Some((_, first)), Some((_, second))) => Err(ProblemKind::Spellings {
            first: (*first).to_owned(),
            second: (*second).to_owned(),
        }),
        // Without a header the first row holds a token, which must not be shown.
        (None, _) if cells.iter().any(|cell| is_like_value(cell)) => Err(ProblemKind::NoHeader),
        (None, _) => Err(names.missing(field, cells)),
    }
}

/// The CSV reader, over a tape of what it reads.
struct Rows<R> {
    csv: csv::Reader<Tape<R>>,
    row: ByteRecord,
    delimiter: u8,
    /// The physical line that the next row starts on, or a blank line before it.
    line: u64,
    /// Where the row's bytes start and end in the stream.
    start: u64,
    end: u64,
}

impl<R: Read> Rows<R> {
    fn new(input: R, delimiter: u8) -> Self {
        Self {
            csv: ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(delimiter)
                // A carriage return alone would end a row too. Left in the data it can be refused,
                // and taken off before a line feed.
                .terminator(Terminator::Any(b'\n'))
                .buffer_capacity(CHUNK)
                .from_reader(Tape {
                    input,
                    kept: Vec::new(),
                    base: 0,
                    needed: 0,
                    blank: 0,
                }),
            row: ByteRecord::new(),
            delimiter,
            line: 1,
            start: 0,
            end: 0,
        }
    }

    /// Reads the next row that is not blank and says on which line it starts.
    fn advance(&mut self) -> Result<Option<u64>, Fault> {
        loop {
            let line = self.line;
            self.start = self.end;
            self.csv.get_mut().needed = self.start;
            match self.csv.read_byte_record(&mut self.row) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Err(fault(error, line)),
            }
            self.end = self.csv.position().byte();
            let let_go = std::mem::take(&mut self.csv.get_mut().blank);
            self.start += let_go;
            self.line += let_go;
            let line = line + let_go;
            let raw = self.raw();
            let blank = raw.iter().take_while(|byte| **byte == b'\n').count() as u64;
            let lines = memchr::memchr_iter(b'\n', raw).count() as u64;
            self.start += blank;
            self.line += lines;
            if self.raw() != b"\r\n" {
                return Ok(Some(line + blank));
            }
        }
    }

    fn raw(&self) -> &[u8] {
        self.csv.get_ref().slice(self.start, self.end)
    }

    fn cell(&self, index: usize) -> &[u8] {
        let cell = &self.row[index];
        if index + 1 == self.row.len() {
            cell.strip_suffix(b"\r").unwrap_or(cell)
        } else {
            cell
        }
    }

    /// What a lenient reader would have let pass in the row.
    fn flaw(&self) -> Option<ProblemKind> {
        let raw = self.raw();
        let body = match raw.strip_suffix(b"\n") {
            Some(body) => body.strip_suffix(b"\r").unwrap_or(body),
            None => raw,
        };
        if body.len() > LARGEST_RECORD {
            return Some(ProblemKind::TooLong);
        }
        memchr::memchr3(b'"', b'\r', 0, body)?;
        if let Some(flaw) = quoting(body, self.delimiter) {
            return Some(flaw);
        }
        if body.contains(&0) {
            return Some(ProblemKind::Nul);
        }
        memchr::memchr_iter(b'\r', body)
            .any(|index| body.get(index + 1) != Some(&b'\n'))
            .then_some(ProblemKind::LoneCarriageReturn)
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

/// Keeps what the CSV reader has taken, so that a row can be looked at as it was written.
struct Tape<R> {
    input: R,
    kept: Vec<u8>,
    /// Where `kept` starts in the stream.
    base: u64,
    /// What stands before this in the stream may be let go.
    needed: u64,
    /// Blank lines that were let go of behind `needed`.
    blank: u64,
}

impl<R> Tape<R> {
    fn slice(&self, start: u64, end: u64) -> &[u8] {
        // Both are at most a record and two chunks behind each other.
        #[allow(clippy::cast_possible_truncation, reason = "the tape is in memory")]
        &self.kept[(start - self.base) as usize..(end - self.base) as usize]
    }
}

impl<R: Read> Read for Tape<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let end = self.base + self.kept.len() as u64;
        let needed = self.slice(self.needed.max(self.base), end);
        // Blank lines before a row are no part of it, however many there are.
        let blank = needed.iter().take_while(|byte| **byte == b'\n').count();
        let done = self.kept.len() - needed.len() + blank;
        self.blank += blank as u64;
        self.kept.drain(..done);
        self.base += done as u64;
        if self.kept.len() > LARGEST_RECORD + CHUNK {
            return Err(StreamError::TooLong.into());
        }
        let read = self.input.read(out)?;
        self.kept.extend_from_slice(&out[..read]);
        Ok(read)
    }
}

fn fault(error: csv::Error, line: u64) -> Fault {
    let at = Position {
        record: 0,
        line,
        column: None,
    };
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Fault::fatal(Some(at), ProblemKind::from(error)),
        // Rows of bytes of any width are asked for, so that nothing else can be wrong with them.
        other => Fault::fatal(Some(at), ProblemKind::Syntax(format!("{other:?}"))),
    }
}
