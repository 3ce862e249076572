//! The record reader, a single type for all formats.

use super::{
    bytes::LineBuffer, csv::CsvReader, detect::DetectedFormat, json::JsonReader,
    options::InputOptions, position::Located, problem::ReadError,
};
use crate::record::{Record, TokenEncoding};

pub(super) enum RecordReader<'i> {
    Blank,
    Csv(Box<CsvReader<'i>>),
    Json(Box<JsonReader<'i>>),
}

impl<'i> RecordReader<'i> {
    /// The text must have no byte order mark.
    pub(super) fn open(
        format: DetectedFormat,
        buffer: LineBuffer<'i>,
        options: &'i InputOptions,
    ) -> Result<Self, ReadError> {
        Ok(match format {
            DetectedFormat::Blank => Self::Blank,
            DetectedFormat::Csv {
                delimiter,
                has_separator_line,
            } => CsvReader::open(buffer, options, delimiter, has_separator_line)?
                .map_or(Self::Blank, |reader| Self::Csv(Box::new(reader))),
            DetectedFormat::Rejects => CsvReader::open_rejects(buffer, options.time_range)?
                .map_or(Self::Blank, |reader| Self::Csv(Box::new(reader))),
            json => Self::Json(Box::new(JsonReader::new(buffer, json, options))),
        })
    }

    pub(super) fn token_encoding(&self) -> TokenEncoding {
        match self {
            Self::Blank => TokenEncoding::Utf8,
            Self::Csv(reader) => reader.fields.token_encoding,
            Self::Json(reader) => reader.fields.token_encoding,
        }
    }

    /// Must not be called after [`Self::next`].
    pub(super) fn split_off_chunk(&mut self) -> Option<Self> {
        Some(match self {
            Self::Blank => return None,
            Self::Csv(reader) => Self::Csv(Box::new(reader.split_off_chunk()?)),
            Self::Json(reader) => Self::Json(Box::new(reader.split_off_chunk()?)),
        })
    }

    /// Must not be called after a fatal error.
    pub(super) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        match self {
            Self::Blank => None,
            Self::Csv(reader) => reader.next(),
            Self::Json(reader) => reader.next(),
        }
    }
}
