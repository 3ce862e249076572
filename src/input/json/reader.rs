//! The reader of JSON records.

use serde::de::IgnoredAny;

use super::{
    super::{
        bytes::LineBuffer,
        detect::DetectedFormat,
        fields::FieldParser,
        options::{
            InputOptions, MAX_LINE_BYTES, MAX_RECORD_BYTES, MAX_SKIPPED_BYTES, format_pointer,
        },
        position::Located,
        problem::{ProblemKind, ReadError},
    },
    outline::find_only_array,
    record,
    scanner::{enter_path, is_space, measure_value, skip_space, syntax},
};
use crate::record::Record;

pub(in crate::input) struct JsonReader<'i> {
    buffer: LineBuffer<'i>,
    pub(in crate::input) fields: FieldParser<'i>,
    format: DetectedFormat,
    record_count: u64,
    /// Consumed before the next record is read. If `returns_line` is true, they end in a line feed.
    returned_bytes: usize,
    returns_line: bool,
}

/// A document that starts where a line starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Document {
    /// The document, or malformed text, is the line.
    Line,
    /// The document spans lines, or another one follows in the line.
    Other,
    /// The document does not end in the bytes that were read, which have no other line.
    Incomplete,
}

impl<'i> JsonReader<'i> {
    pub(in crate::input) fn new(
        buffer: LineBuffer<'i>,
        format: DetectedFormat,
        options: &'i InputOptions,
    ) -> Self {
        let is_protobuf =
            matches!(&format, DetectedFormat::JsonArray { is_protobuf, .. } if *is_protobuf);
        Self {
            buffer,
            fields: FieldParser::new(options, is_protobuf),
            format,
            record_count: 0,
            returned_bytes: 0,
            returns_line: false,
        }
    }

    /// Must not be called after [`Self::next`].
    pub(in crate::input) fn split_off_chunk(&mut self) -> Option<Self> {
        let DetectedFormat::Ndjson { is_guess } = self.format else {
            return None;
        };
        // The end of a chunk must not be inside a document that spans lines.
        let ends_in_object = |lines: &[u8]| {
            let lines = lines.trim_ascii_end();
            let line_start = memchr::memrchr(b'\n', lines).map_or(0, |index| index + 1);
            lines[line_start..].trim_ascii_start().starts_with(b"{") && lines.ends_with(b"}")
        };
        let can_move = |lines: &[u8]| !is_guess || ends_in_object(lines);
        Some(Self {
            buffer: self.buffer.split_off_chunk(can_move)?,
            fields: self.fields.clone(),
            format: self.format.clone(),
            ..*self
        })
    }

    /// Malformed JSON ends the pass over a document. Must not be called after a fatal error.
    pub(in crate::input) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        let returned_bytes = std::mem::take(&mut self.returned_bytes);
        if self.returns_line {
            self.buffer.consume_lines(returned_bytes, 1);
            self.returns_line = false;
        } else {
            self.buffer.consume(returned_bytes);
        }
        let length = match self.format {
            DetectedFormat::Ndjson { .. } => self.next_line(),
            DetectedFormat::JsonRecord if self.record_count == 0 => self.measure_record(),
            DetectedFormat::JsonRecord => self.end_document(),
            DetectedFormat::JsonObjects => self.next_object(),
            _ => self.next_element(),
        };
        Some(length.transpose()?.and_then(|length| self.parse(length)))
    }

    fn parse(&mut self, length: usize) -> Result<Located<Record<'_>>, ReadError> {
        self.record_count += 1;
        let position_at = |index| self.buffer.position(self.record_count, index);
        match record::parse(&self.buffer.unread()[..length], &self.fields) {
            Ok(value) => Ok(Located {
                position: position_at(0),
                value,
            }),
            Err(error) => {
                let position = position_at(error.offset.min(length));
                let is_malformed = matches!(
                    error.kind,
                    ProblemKind::JsonSyntax(_) | ProblemKind::TruncatedJson
                );
                match self.format {
                    DetectedFormat::Ndjson { is_guess: true }
                        if is_malformed && self.find_document(length) == Document::Other =>
                    {
                        let kind = ProblemKind::NotOneObjectPerLine;
                        Err(ReadError::fatal(Some(position_at(0)), kind))
                    }
                    DetectedFormat::Ndjson { .. } => {
                        Err(ReadError::in_record(position, error.kind))
                    }
                    // A malformed element makes the whole document malformed.
                    _ if is_malformed => Err(ReadError::fatal(Some(position), error.kind)),
                    _ => Err(ReadError::in_record(position, error.kind)),
                }
            }
        }
    }

    /// Returns the length of the record in the next line that is not blank.
    fn next_line(&mut self) -> Result<Option<usize>, ReadError> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.unread();
            let end = memchr::memchr(b'\n', &unread[searched..]).map(|index| searched + index);
            searched = unread.len();
            let end = match end {
                Some(end) => end,
                None if searched > MAX_LINE_BYTES => return Err(self.skip_overlong_line()),
                None if self.read_more()? => continue,
                None => searched,
            };
            let unread = self.buffer.unread();
            let line = &unread[..end];
            let before = line.iter().take_while(|byte| is_space(**byte)).count();
            let after = line[before..].iter().rev();
            let after = after.take_while(|byte| is_space(**byte)).count();
            let length = line.len() - before - after;
            if length > MAX_RECORD_BYTES {
                return Err(self.skip_overlong_line());
            }
            let has_line_feed = end < unread.len();
            if length > 0 {
                let is_like_object = line[before] == b'{' && line[before + length - 1] == b'}';
                if before > 0 {
                    self.buffer.consume(before);
                }
                if !is_like_object && self.format == (DetectedFormat::Ndjson { is_guess: true }) {
                    self.check_guess(length)?;
                }
                self.returns_line = has_line_feed;
                self.returned_bytes = if has_line_feed {
                    end - before + 1
                } else {
                    length
                };
                return Ok(Some(length));
            }
            if !has_line_feed {
                return Ok(None);
            }
            self.buffer.consume(end + 1);
            searched = 0;
        }
    }

    /// Refuses a line of `length` bytes that is a part of a document.
    fn check_guess(&mut self, length: usize) -> Result<(), ReadError> {
        loop {
            match self.find_document(length) {
                Document::Other => return Err(self.fatal(ProblemKind::NotOneObjectPerLine)),
                Document::Incomplete if self.read_more()? => {}
                Document::Incomplete | Document::Line => return Ok(()),
            }
        }
    }

    /// Compares the next document with the next line, which has `length` bytes.
    fn find_document(&self, length: usize) -> Document {
        let text = self.buffer.unread();
        let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
        let is_blank = |text: &[u8]| text.iter().all(|byte| is_space(*byte));
        match documents.next() {
            Some(Ok(_)) => match text[..length].get(documents.byte_offset()..) {
                Some(rest) if !rest.trim_ascii_start().starts_with(b"{") => Document::Line,
                _ => Document::Other,
            },
            Some(Err(error)) if error.is_eof() && is_blank(&text[length..]) => Document::Incomplete,
            Some(Err(error)) if error.is_eof() => Document::Other,
            _ => Document::Line,
        }
    }

    fn skip_overlong_line(&mut self) -> ReadError {
        let position = self.buffer.position(self.record_count + 1, 0);
        let mut skipped = 0;
        while skipped <= MAX_SKIPPED_BYTES {
            let unread = self.buffer.unread();
            let end = memchr::memchr(b'\n', unread);
            let length = end.unwrap_or(unread.len());
            self.buffer.consume(length);
            skipped += length;
            let has_more = match end {
                Some(_) => Ok(false),
                None => self.read_more(),
            };
            match has_more {
                Ok(true) => {}
                Ok(false) => {
                    self.record_count += 1;
                    return ReadError::in_record(position, ProblemKind::RecordTooLong);
                }
                Err(error) => return error,
            }
        }
        self.fatal(ProblemKind::RecordTooLong)
    }

    fn read_more(&mut self) -> Result<bool, ReadError> {
        self.buffer.read_more().map_err(|error| self.fatal(error))
    }

    fn next_object(&mut self) -> Result<Option<usize>, ReadError> {
        match self.skip_space()? {
            Some(_) => self.measure_record(),
            None => Ok(None),
        }
    }

    fn next_element(&mut self) -> Result<Option<usize>, ReadError> {
        if self.record_count == 0 {
            self.enter_array()?;
            if self.skip_space()? == Some(b']') {
                return self.leave_array();
            }
        } else {
            match self.skip_space()? {
                Some(b',') => self.buffer.consume(1),
                Some(b']') => return self.leave_array(),
                Some(_) => return Err(self.fatal(syntax("expected \",\" or \"]\""))),
                None => return Err(self.fatal(ProblemKind::TruncatedJson)),
            }
        }
        self.measure_record()
    }

    fn enter_array(&mut self) -> Result<(), ReadError> {
        let DetectedFormat::JsonArray { path, .. } = &self.format else {
            return Ok(());
        };
        enter_path(&mut self.buffer, path).map_err(|kind| match kind {
            ProblemKind::PointerNotFound { .. } => kind.into(),
            kind => self.fatal(kind),
        })?;
        let first = skip_space(&mut self.buffer).map_err(|error| self.fatal(error))?;
        let position = self.buffer.position(self.record_count + 1, 0);
        let kind = match first {
            Some(b'[') => {
                self.buffer.consume(1);
                return Ok(());
            }
            Some(byte) if !record::starts_value(byte) => syntax("expected value"),
            Some(byte) => ProblemKind::NotArray {
                place: format_pointer(path),
                found: record::json_kind(byte),
                only_array: find_only_array(&mut self.buffer, path),
            },
            None => ProblemKind::TruncatedJson,
        };
        Err(ReadError::fatal(Some(position), kind))
    }

    fn leave_array(&mut self) -> Result<Option<usize>, ReadError> {
        self.buffer.consume(1);
        if matches!(&self.format, DetectedFormat::JsonArray { path, .. } if path.is_empty()) {
            return self.end_document();
        }
        // The format detection has already checked the syntax of the text after the array.
        loop {
            self.buffer.consume(self.buffer.unread().len());
            if !self.read_more()? {
                return Ok(None);
            }
        }
    }

    fn measure_record(&mut self) -> Result<Option<usize>, ReadError> {
        self.skip_space()?;
        let length = measure_value(&mut self.buffer).map_err(|kind| self.fatal(kind))?;
        self.returned_bytes = length;
        Ok(Some(length))
    }

    fn end_document(&mut self) -> Result<Option<usize>, ReadError> {
        match self.skip_space()? {
            None => Ok(None),
            // The text belongs to no record.
            Some(_) => Err(ReadError::fatal(
                Some(self.buffer.position(0, 0)),
                ProblemKind::MultipleDocuments,
            )),
        }
    }

    fn skip_space(&mut self) -> Result<Option<u8>, ReadError> {
        skip_space(&mut self.buffer).map_err(|error| self.fatal(error))
    }

    fn fatal(&self, kind: impl Into<ProblemKind>) -> ReadError {
        let position = self.buffer.position(self.record_count + 1, 0);
        ReadError::fatal(Some(position), kind.into())
    }
}
