//! CSV and TSV (RFC 4180), stricter than most readers: where they guess, this refuses.

use std::borrow::Cow;

use super::{
    super::{
        bytes::LineBuffer,
        fields::Fields,
        options::{FieldSelector, InputOptions, Names},
        problem::{Excerpt, Field, Located, Position, ProblemKind, ReadError},
    },
    rows::Rows,
};
use crate::record::{ExpireTime, Record};

/// Reads rows; each is checked against the bytes that it was read from.
pub(in crate::input) struct CsvReader<'i> {
    rows: Rows<'i>,
    fields: Fields<'i>,
    columns: Columns,
    record: u64,
    /// Without a header the first row has been read already, for its width.
    pending: bool,
    finished: bool,
}

/// Where a file has the fields.
#[derive(Clone, Debug)]
pub(in crate::input) struct Columns {
    token: usize,
    token_name: String,
    /// `None` where no time is wanted.
    time: Option<(usize, String)>,
    width: usize,
}

impl<'i> CsvReader<'i> {
    /// Reads as far as the header, or the first row where there is no header. `None` is an input
    /// without any row.
    pub(in crate::input) fn open(
        window: LineBuffer<'i>,
        options: &'i InputOptions,
        delimiter: u8,
    ) -> Result<Option<Self>, ReadError> {
        let mut rows = Rows::new(window, delimiter);
        let more = rows.advance();
        let at = Position {
            record: 0,
            line: rows.line(),
            column: None,
        };
        if !more.map_err(|kind| ReadError::fatal(Some(at), kind))? {
            return Ok(None);
        }
        let columns = if options.header {
            match rows.flaw() {
                Some(kind) => Err(kind),
                None => Columns::named(&rows, options),
            }
        } else {
            Columns::numbered(&rows, options)
        };
        Ok(Some(Self {
            columns: columns.map_err(|kind| ReadError::fatal(Some(at), kind))?,
            rows,
            fields: Fields::new(options),
            record: 0,
            pending: !options.header,
            finished: false,
        }))
    }

    /// Reads on behind the header, or behind rows without one.
    pub(in crate::input) fn without_header(
        window: LineBuffer<'i>,
        options: &'i InputOptions,
        delimiter: u8,
        columns: Columns,
    ) -> Self {
        Self {
            rows: Rows::new(window, delimiter),
            fields: Fields::new(options),
            columns,
            record: 0,
            pending: false,
            finished: false,
        }
    }

    pub(in crate::input) fn into_columns(self) -> Columns {
        self.columns
    }

    pub(in crate::input) fn into_buffer(self) -> Vec<u8> {
        self.rows.into_buffer()
    }

    pub(in crate::input) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        if self.finished {
            return None;
        }
        let more = if std::mem::take(&mut self.pending) {
            Ok(true)
        } else {
            self.rows.advance()
        };
        let at = Position {
            record: self.record + 1,
            line: self.rows.line(),
            column: None,
        };
        match more {
            Ok(true) => {}
            Ok(false) => {
                self.finished = true;
                return None;
            }
            Err(kind) => {
                self.finished = true;
                return Some(Err(ReadError::fatal(Some(at), kind)));
            }
        }
        match self.rows.flaw() {
            // The quote that was never closed has swallowed the rest of the file.
            Some(kind @ ProblemKind::Truncated) => {
                self.finished = true;
                return Some(Err(ReadError::fatal(Some(at), kind)));
            }
            Some(kind) => {
                self.record += 1;
                return Some(Err(ReadError::in_record(at, kind)));
            }
            None => self.record += 1,
        }
        Some(match self.record() {
            Ok(value) => Ok(Located {
                position: at,
                value,
            }),
            Err(kind) => Err(ReadError::in_record(at, kind)),
        })
    }

    fn record(&self) -> Result<Record<'_>, ProblemKind> {
        let columns = &self.columns;
        if self.rows.width() != columns.width {
            return Err(ProblemKind::WrongColumnCount {
                expected: columns.width,
                found: self.rows.width(),
            });
        }
        Ok(Record {
            token: self
                .fields
                .token_in(self.rows.cell(columns.token), &columns.token_name)?,
            expire_time: match &columns.time {
                Some((index, name)) => self.fields.time_in(self.rows.cell(*index), name)?,
                None => ExpireTime::EPOCH,
            },
        })
    }
}

impl Columns {
    /// Finds the columns by the names in the first row.
    fn named(rows: &Rows<'_>, options: &InputOptions) -> Result<Self, ProblemKind> {
        let cells: Vec<Cow<'_, str>> = (0..rows.width())
            .map(|index| String::from_utf8_lossy(rows.cell(index)))
            .collect();
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        let names = Names::new(options);
        let column = |field, wanted: &FieldSelector| match wanted {
            FieldSelector::Column(number) => index(*number, cells.len(), field),
            FieldSelector::DefaultNames | FieldSelector::Name(_) | FieldSelector::Unused => {
                find(&cells, field, &names)
            }
        };
        let token = column(Field::Token, &options.token)?;
        let time = names
            .wants(Field::Time)
            .then(|| column(Field::Time, &options.time))
            .transpose()?;
        distinct(token, time, cells[token])?;
        let mut names: Vec<_> = cells.iter().filter(|cell| !cell.is_empty()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ProblemKind::DuplicateKey(Excerpt::of_name(pair[0])));
        }
        // By number the first row was not looked at so far.
        if is_like_value(cells[time.unwrap_or(token)]) {
            return Err(ProblemKind::MissingHeader);
        }
        Ok(Self {
            token,
            token_name: name(&options.token, cells[token], token),
            time: time.map(|time| (time, name(&options.time, cells[time], time))),
            width: cells.len(),
        })
    }

    /// Takes the columns by number: the first two unless others are asked for.
    fn numbered(rows: &Rows<'_>, options: &InputOptions) -> Result<Self, ProblemKind> {
        let number = |field: &FieldSelector, usual| match field {
            FieldSelector::Column(number) => Some(*number),
            FieldSelector::DefaultNames | FieldSelector::Name(_) => Some(usual),
            FieldSelector::Unused => None,
        };
        let width = rows.width();
        let token = number(&options.token, 1).unwrap_or(1);
        let time = number(&options.time, 2);
        distinct(token, time, &token.to_string())?;
        let time = time.map(|number| {
            index(number, width, Field::Time).map(|index| (index, format!("column {number}")))
        });
        Ok(Self {
            token: index(token, width, Field::Token)?,
            token_name: format!("column {token}"),
            time: time.transpose()?,
            width,
        })
    }
}

/// What errors call a column: a cell that was not asked for by its text may hold anything.
fn name(wanted: &FieldSelector, cell: &str, index: usize) -> String {
    match wanted {
        FieldSelector::Column(_) => format!("column {}", index + 1),
        FieldSelector::DefaultNames | FieldSelector::Name(_) | FieldSelector::Unused => {
            cell.to_owned()
        }
    }
}

/// One column can't be both.
fn distinct(token: usize, time: Option<usize>, name: &str) -> Result<(), ProblemKind> {
    if time == Some(token) {
        return Err(ProblemKind::SameNameForBothFields(Excerpt::of_name(name)));
    }
    Ok(())
}

fn index(number: usize, width: usize, field: Field) -> Result<usize, ProblemKind> {
    number
        .checked_sub(1)
        .filter(|index| *index < width)
        .ok_or(ProblemKind::ColumnOutOfRange {
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
        (Some((_, first)), Some((_, second))) => Err(ProblemKind::AmbiguousField {
            first: (*first).to_owned(),
            second: (*second).to_owned(),
        }),
        // Without a header the first row holds a token, which must not be shown. Where tokens alone
        // are wanted nothing tells that it is one.
        (None, _) if !names.wants(Field::Time) || cells.iter().any(|cell| is_like_value(cell)) => {
            Err(ProblemKind::MissingHeader)
        }
        (None, _) => Err(names.missing(field, cells)),
    }
}
