//! One input, opened, with its detected format, and readable any number of times.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{
    bytes::{Content, LineBuffer, Origin, ReadLimits},
    detect::{DetectedFormat, detect_format, format_from_name},
    options::{InputFormat, InputOptions},
    problem::{ProblemKind, ReadError},
    reader::RecordReader,
};

/// An opened input. Its format is detected at the first reading.
#[derive(Debug)]
pub(super) struct InputFile {
    /// The name of the input in messages.
    pub(super) name: Arc<str>,
    content: Content,
    /// The format that an option or the name of the file says.
    known_format: Option<InputFormat>,
    detected_format: Option<DetectedFormat>,
    /// Whether the first reading did not reach the end, so that further readings are useless.
    pub(super) is_incomplete: bool,
}

impl InputFile {
    pub(super) fn open(
        origin: &Origin,
        options: &InputOptions,
        read_limits: &ReadLimits,
    ) -> Result<Self, ProblemKind> {
        let name = origin.name();
        let format_from_origin = || match origin {
            Origin::File(_) => format_from_name(&name),
            Origin::Stdin | Origin::Memory(_) => None,
        };
        Ok(Self {
            content: Content::open(origin, read_limits)?,
            known_format: options.format.or_else(format_from_origin),
            name,
            detected_format: None,
            is_incomplete: false,
        })
    }

    /// Replaces the limits for the readings that start from now on.
    pub(super) fn set_read_limits(&mut self, read_limits: ReadLimits) {
        self.content.set_read_limits(read_limits);
    }

    /// Returns the format that the first reading detected.
    pub(super) fn detected_format(&self) -> Option<&DetectedFormat> {
        self.detected_format.as_ref()
    }

    /// Returns the format, which is detected now if it is not known yet.
    ///
    /// # Errors
    ///
    /// As [`detect_format`].
    pub(super) fn detect_format(
        &mut self,
        options: &InputOptions,
    ) -> Result<DetectedFormat, ReadError> {
        if let Some(format) = &self.detected_format {
            return Ok(format.clone());
        }
        let format = detect_format(&mut self.content, self.known_format, options)?;
        Ok(self.detected_format.insert(format).clone())
    }

    /// Returns a reader of all records.
    ///
    /// # Errors
    ///
    /// A fatal error if the format cannot be detected, or the header row is wrong.
    pub(super) fn records<'i>(
        &'i mut self,
        options: &'i InputOptions,
    ) -> Result<RecordReader<'i>, ReadError> {
        let format = self.detect_format(options)?;
        let buffer = LineBuffer::new(self.text_reader()?);
        RecordReader::open(format, None, buffer, options)
    }

    /// Returns a reader of the decompressed text, without a byte order mark.
    ///
    /// # Errors
    ///
    /// A fatal error if the operating system cannot open or read the input.
    pub(super) fn text_reader(&mut self) -> Result<Box<dyn Read + Send + '_>, ReadError> {
        self.content
            .text_reader()
            .map_err(|error: io::Error| ReadError::fatal(None, error.into()))
    }
}
