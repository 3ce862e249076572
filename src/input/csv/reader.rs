//! The reader of CSV and TSV records.

use super::{
    super::{
        bytes::LineBuffer,
        excerpt::Excerpt,
        fields::FieldParser,
        options::InputOptions,
        position::{Located, Position},
        problem::{ProblemKind, ReadError},
    },
    columns::{Columns, find_delimiter_after_quote},
    rows::RowReader,
};
use crate::record::{ExpireTime, Record, TimeRange, TokenEncoding};

pub(in crate::input) struct CsvReader<'i> {
    rows: RowReader<'i>,
    pub(in crate::input) fields: FieldParser<'i>,
    columns: Columns,
    record_count: u64,
    /// Whether the current row is the first record, which was read to count the columns.
    has_pending_row: bool,
}

impl<'i> CsvReader<'i> {
    /// Returns `None` if the text has no row.
    pub(in crate::input) fn open(
        buffer: LineBuffer<'i>,
        options: &'i InputOptions,
        delimiter: u8,
        has_separator_line: bool,
    ) -> Result<Option<Self>, ReadError> {
        let mut rows = RowReader::new(buffer, delimiter, options.max_row_bytes);
        let mut has_row = rows.advance();
        if has_separator_line && has_row.is_ok() {
            has_row = rows.advance();
        }
        let position = position(&rows, 0);
        let fatal = |kind| ReadError::fatal(Some(position), kind);
        if !has_row.map_err(fatal)? {
            return Ok(None);
        }
        let columns = match rows.problem() {
            Some(kind @ ProblemKind::BareQuote) if options.has_header => {
                Err(find_delimiter_after_quote(&rows).unwrap_or(kind))
            }
            Some(kind) if options.has_header => Err(kind),
            _ => Columns::find(&rows, options),
        };
        Ok(Some(Self {
            columns: columns.map_err(fatal)?,
            rows,
            fields: FieldParser::new(options, false),
            record_count: 0,
            has_pending_row: !options.has_header,
        }))
    }

    pub(in crate::input) fn open_rejects(
        buffer: LineBuffer<'i>,
        time_range: TimeRange,
    ) -> Result<Option<Self>, ReadError> {
        const ENCODING_INDEX: usize = 1;
        let reader = Self::open(buffer, InputOptions::for_rejects(), b',', false)?;
        Ok(reader.map(|mut reader| {
            reader.columns.encoding_index = Some(ENCODING_INDEX);
            reader.fields.time_range = time_range;
            reader
        }))
    }

    /// Must not be called after [`Self::next`].
    pub(in crate::input) fn split_off_chunk(&mut self) -> Option<Self> {
        let rows = self.rows.split_off_chunk(self.has_pending_row)?;
        self.has_pending_row = false;
        Some(Self {
            rows,
            fields: self.fields.clone(),
            columns: self.columns.clone(),
            ..*self
        })
    }

    /// Must not be called after a fatal error.
    pub(in crate::input) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        let has_row = if std::mem::take(&mut self.has_pending_row) {
            Ok(true)
        } else {
            self.rows.advance()
        };
        let position = position(&self.rows, self.record_count + 1);
        match has_row {
            Ok(true) => self.record_count += 1,
            Ok(false) => return None,
            Err(kind) => return Some(Err(ReadError::fatal(Some(position), kind))),
        }
        Some(match self.rows.problem() {
            None => match self.parse_row() {
                Ok(value) => Ok(Located { position, value }),
                Err(kind) => Err(ReadError::in_record(position, kind)),
            },
            // An unterminated quote makes the rest of the file one row.
            Some(kind @ ProblemKind::UnterminatedQuote) => {
                Err(ReadError::fatal(Some(position), kind))
            }
            Some(kind) => Err(ReadError::in_record(position, kind)),
        })
    }

    fn parse_row(&self) -> Result<Record<'_>, ProblemKind> {
        let Self { columns, rows, .. } = self;
        if rows.width() != columns.width {
            return Err(ProblemKind::WrongColumnCount {
                expected: columns.width,
                found: rows.width(),
            });
        }
        let token = rows.cell(columns.token.index);
        let encoding = match columns.encoding_index.map(|index| rows.cell(index)) {
            None => self.fields.token_encoding,
            Some(b"utf8") => TokenEncoding::Utf8,
            Some(b"base64") => TokenEncoding::Base64,
            Some(other) => {
                let other = Excerpt::from_text(&String::from_utf8_lossy(other));
                return Err(ProblemKind::UnknownEncoding(other));
            }
        };
        let name = &columns.token.name;
        Ok(Record {
            token: FieldParser::encoded_token(token.into(), encoding, name)?,
            expire_time: match &columns.time {
                Some(time) => self.fields.time(rows.cell(time.index), &time.name)?,
                None => ExpireTime::UNUSED,
            },
        })
    }
}

fn position(rows: &RowReader<'_>, record: u64) -> Position {
    Position {
        record,
        line: rows.line(),
        column: None,
    }
}
