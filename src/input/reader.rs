//! The record reader, a single type for all formats.

use super::{
    bytes::LineBuffer,
    csv::{Columns, CsvReader},
    detect::DetectedFormat,
    json::{DocumentReader, NdjsonReader},
    options::InputOptions,
    position::Located,
    problem::ReadError,
};
use crate::record::Record;

/// A reader of the records in one input or in a part of one input.
pub(super) enum RecordReader<'i> {
    Blank,
    Csv(Box<CsvReader<'i>>),
    Ndjson(Box<NdjsonReader<'i>>),
    Document(Box<DocumentReader<'i>>),
}

impl<'i> RecordReader<'i> {
    /// Opens text that has no byte order mark. `columns` is `Some` if the text is a later part of a
    /// CSV file, whose columns are known from the first part.
    ///
    /// # Errors
    ///
    /// A fatal error if the header row cannot be read or does not name the wanted columns.
    pub(super) fn open(
        format: DetectedFormat,
        columns: Option<Columns>,
        buffer: LineBuffer<'i>,
        options: &'i InputOptions,
    ) -> Result<Self, ReadError> {
        Ok(match format {
            DetectedFormat::Blank => Self::Blank,
            DetectedFormat::Csv { delimiter } => {
                let reader = match columns {
                    None => CsvReader::open(buffer, options, delimiter)?,
                    Some(columns) => Some(CsvReader::without_header(
                        buffer, options, delimiter, columns,
                    )),
                };
                reader.map_or(Self::Blank, |reader| Self::Csv(Box::new(reader)))
            }
            DetectedFormat::Ndjson => Self::Ndjson(Box::new(NdjsonReader::new(buffer, options))),
            DetectedFormat::JsonArray { path, is_protobuf } => {
                let reader = DocumentReader::array(buffer, path, is_protobuf, options);
                Self::Document(Box::new(reader))
            }
            DetectedFormat::JsonRecord => {
                Self::Document(Box::new(DocumentReader::single_record(buffer, options)))
            }
        })
    }

    /// Returns the next record or its problem. Returns `None` at the end of the text and after a
    /// fatal error.
    pub(super) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        match self {
            Self::Blank => None,
            Self::Csv(reader) => reader.next(),
            Self::Ndjson(reader) => reader.next(),
            Self::Document(reader) => reader.next(),
        }
    }

    /// Returns the memory of the line buffer for reuse.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        match self {
            Self::Blank => Vec::new(),
            Self::Csv(reader) => reader.into_buffer(),
            Self::Ndjson(reader) => reader.into_buffer(),
            Self::Document(reader) => reader.into_buffer(),
        }
    }
}
