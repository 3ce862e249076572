//! The reader of the records in one JSON document.

use super::{
    super::{
        bytes::LineBuffer,
        field_parser::FieldParser,
        options::{InputOptions, JsonPointer, format_pointer},
        position::Located,
        problem::ReadError,
        problem_kind::ProblemKind,
    },
    record,
    scanner::{enter_path, measure_value, position_at, skip_space, syntax},
};
use crate::record::Record;

/// A reader of the records in a JSON document. The records are the elements of an array, or the
/// root is the only record.
pub(in crate::input) struct DocumentReader<'i> {
    buffer: LineBuffer<'i>,
    fields: FieldParser<'i>,
    /// The keys and indices from the root to the array. `None` if the root is the only record.
    array_path: Option<JsonPointer>,
    /// The number of records read so far.
    record_count: u64,
    /// The length, in bytes, of the record that [`DocumentReader::next`] returned last and has not
    /// consumed yet.
    returned_bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// At least one record, or the problem of a record, has been returned.
    AfterRecord,
    Finished,
}

impl<'i> DocumentReader<'i> {
    /// Returns a reader of the array at `path`. If `is_protobuf` is true, the reader expects tokens
    /// in Base64 and ignores the encoding in `options`.
    pub(in crate::input) fn array(
        buffer: LineBuffer<'i>,
        path: JsonPointer,
        is_protobuf: bool,
        options: &'i InputOptions,
    ) -> Self {
        let fields = if is_protobuf {
            FieldParser::for_protobuf(options)
        } else {
            FieldParser::new(options)
        };
        Self::new(buffer, fields, Some(path))
    }

    /// Returns a reader of a document whose root is the only record.
    pub(in crate::input) fn single_record(
        buffer: LineBuffer<'i>,
        options: &'i InputOptions,
    ) -> Self {
        Self::new(buffer, FieldParser::new(options), None)
    }

    fn new(
        buffer: LineBuffer<'i>,
        fields: FieldParser<'i>,
        array_path: Option<JsonPointer>,
    ) -> Self {
        Self {
            buffer,
            fields,
            array_path,
            record_count: 0,
            returned_bytes: 0,
            state: State::Start,
        }
    }

    pub(in crate::input) fn into_buffer(self) -> Vec<u8> {
        self.buffer.into_buffer()
    }

    /// Returns the next record or its problem. Malformed JSON ends the pass. Returns `None` at the
    /// end of the document and after a fatal error.
    pub(in crate::input) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        self.buffer
            .consume(std::mem::take(&mut self.returned_bytes));
        let length = match self.state {
            State::Finished => return None,
            State::Start | State::AfterRecord if self.array_path.is_some() => self.next_element(),
            State::Start => self.measure_root().map(Some),
            State::AfterRecord => self.end_document(),
        };
        match length {
            Ok(Some(length)) => Some(self.parse(length)),
            Ok(None) => {
                self.state = State::Finished;
                None
            }
            Err(kind) => {
                self.state = State::Finished;
                // Text after the document belongs to no record, so the position gets the record
                // number 0.
                let record = match kind {
                    ProblemKind::MultipleDocuments => 0,
                    _ => self.record_count + 1,
                };
                let position = position_at(&self.buffer, record, 0);
                Some(Err(ReadError::fatal(Some(position), kind)))
            }
        }
    }

    /// Parses the record in the next `length` bytes.
    fn parse(&mut self, length: usize) -> Result<Located<Record<'_>>, ReadError> {
        let Self { buffer, state, .. } = self;
        self.returned_bytes = length;
        *state = State::AfterRecord;
        let number = self.record_count + 1;
        match record::parse(&buffer.unread()[..length], &self.fields) {
            Ok(value) => {
                self.record_count = number;
                let position = position_at(buffer, number, 0);
                Ok(Located { position, value })
            }
            Err(error) => {
                let position = position_at(buffer, number, error.offset.min(length));
                // A malformed element makes the whole document malformed, so no record can follow.
                if matches!(error.kind, ProblemKind::JsonSyntax(_)) {
                    *state = State::Finished;
                    return Err(ReadError::fatal(Some(position), error.kind));
                }
                self.record_count = number;
                Err(ReadError::in_record(position, error.kind))
            }
        }
    }

    /// Moves to the next element of the array. Returns the length of the element, or `None` after
    /// the last element.
    fn next_element(&mut self) -> Result<Option<usize>, ProblemKind> {
        if self.state == State::Start {
            self.enter_array()?;
            if skip_space(&mut self.buffer)? == Some(b']') {
                return self.leave_array();
            }
        } else {
            match skip_space(&mut self.buffer)? {
                Some(b',') => {
                    self.buffer.consume(1);
                    skip_space(&mut self.buffer)?;
                }
                Some(b']') => return self.leave_array(),
                Some(_) => return Err(syntax("expected `,` or `]`")),
                None => return Err(ProblemKind::TruncatedJson),
            }
        }
        measure_value(&mut self.buffer).map(Some)
    }

    /// Moves past the opening bracket of the array.
    fn enter_array(&mut self) -> Result<(), ProblemKind> {
        let path = self.array_path.as_deref().unwrap_or_default();
        enter_path(&mut self.buffer, path)?;
        match skip_space(&mut self.buffer)? {
            Some(b'[') => {
                self.buffer.consume(1);
                Ok(())
            }
            Some(byte) if !record::starts_value(byte) => Err(syntax("expected value")),
            Some(byte) => Err(ProblemKind::NotArray {
                place: format_pointer(path),
                found: record::json_kind(byte),
            }),
            None => Err(ProblemKind::TruncatedJson),
        }
    }

    /// Moves past the closing bracket of the array and to the end of the document. Returns `None`,
    /// because no element follows.
    fn leave_array(&mut self) -> Result<Option<usize>, ProblemKind> {
        self.buffer.consume(1);
        if self.array_path.as_ref().is_some_and(Vec::is_empty) {
            return self.end_document();
        }
        // The format detection has already checked the syntax of the text after the array, so this
        // loop only skips the text.
        loop {
            self.buffer.consume(self.buffer.unread().len());
            if !self.buffer.read_more()? {
                return Ok(None);
            }
        }
    }

    fn measure_root(&mut self) -> Result<usize, ProblemKind> {
        skip_space(&mut self.buffer)?;
        measure_value(&mut self.buffer)
    }

    /// Checks that only whitespace follows up to the end of the text. Returns `None`, because no
    /// record follows.
    fn end_document(&mut self) -> Result<Option<usize>, ProblemKind> {
        match skip_space(&mut self.buffer)? {
            None => Ok(None),
            Some(_) => Err(ProblemKind::MultipleDocuments),
        }
    }
}
