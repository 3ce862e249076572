//! The record reader, a single type for all formats.

use super::{
    bytes::LineBuffer, csv::CsvReader, detect::DetectedFormat, json::JsonReader,
    options::InputOptions, position::Located, problem::ReadError,
};
use crate::record::Record;

/// A reader of the records in one input or in a part of one input.
pub(super) struct RecordReader<'i> {
    format: FormatReader<'i>,
    /// Whether the text has ended, or an error has ended the pass.
    is_finished: bool,
}

enum FormatReader<'i> {
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
        Ok(Self::new(match format {
            DetectedFormat::Blank => FormatReader::Blank,
            DetectedFormat::Csv { delimiter } => CsvReader::open(buffer, options, delimiter)?
                .map_or(FormatReader::Blank, |reader| {
                    FormatReader::Csv(Box::new(reader))
                }),
            json => FormatReader::Json(Box::new(JsonReader::new(buffer, json, options))),
        }))
    }

    fn new(format: FormatReader<'i>) -> Self {
        Self {
            format,
            is_finished: false,
        }
    }

    /// Moves the first records into a reader of their own, so that several threads can read one
    /// input. Must not be called after [`Self::next`].
    pub(super) fn split_off_chunk(&mut self) -> Option<Self> {
        Some(Self::new(match &mut self.format {
            FormatReader::Blank => return None,
            FormatReader::Csv(reader) => FormatReader::Csv(Box::new(reader.split_off_chunk()?)),
            FormatReader::Json(reader) => FormatReader::Json(Box::new(reader.split_off_chunk()?)),
        }))
    }

    /// Returns the next record or its problem. Returns `None` at the end of the text and after a
    /// fatal error.
    pub(super) fn next(&mut self) -> Option<Result<Located<Record<'_>>, ReadError>> {
        if self.is_finished {
            return None;
        }
        let next = match &mut self.format {
            FormatReader::Blank => None,
            FormatReader::Csv(reader) => reader.next(),
            FormatReader::Json(reader) => reader.next(),
        };
        self.is_finished = match &next {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(error)) => error.is_fatal,
        };
        next
    }
}
