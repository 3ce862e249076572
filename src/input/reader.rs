//! The record reader, a single type for all formats.

use super::{
    bytes::LineBuffer, csv::CsvReader, detect::DetectedFormat, json::JsonReader,
    options::InputOptions, position::Located, problem::ReadError,
};
use crate::record::Record;

/// A reader of the records in one input or in a part of one input.
pub(super) enum RecordReader<'i> {
    Blank,
    Csv(Box<CsvReader<'i>>),
    Json(Box<JsonReader<'i>>),
}

impl<'i> RecordReader<'i> {
    /// Opens text that has no byte order mark, and reads the header row of CSV.
    pub(super) fn open(
        format: DetectedFormat,
        buffer: LineBuffer<'i>,
        options: &'i InputOptions,
    ) -> Result<Self, ReadError> {
        Ok(match format {
            DetectedFormat::Blank => Self::Blank,
            DetectedFormat::Csv { delimiter } => CsvReader::open(buffer, options, delimiter)?
                .map_or(Self::Blank, |reader| Self::Csv(Box::new(reader))),
            json => Self::Json(Box::new(JsonReader::new(buffer, json, options))),
        })
    }

    /// Moves the first records into a reader of their own, so that several threads can read one
    /// input. Must not be called after [`Self::next`].
    pub(super) fn split_off_chunk(&mut self) -> Option<Self> {
        Some(match self {
            Self::Blank => return None,
            Self::Csv(reader) => Self::Csv(Box::new(reader.split_off_chunk()?)),
            Self::Json(reader) => Self::Json(Box::new(reader.split_off_chunk()?)),
        })
    }

    /// Returns the next record or its problem, or `None` at the end of the text. Must not be called
    /// after a fatal error.
    pub(super) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        match self {
            Self::Blank => None,
            Self::Csv(reader) => reader.next(),
            Self::Json(reader) => reader.next(),
        }
    }
}
