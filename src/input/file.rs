//! An opened input, which knows its format and can be read any number of times.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{
    bytes::{Content, InputSource, LineBuffer, ReadLimits},
    detect::{DetectedFormat, detect_format, format_from_name},
    options::{InputFormat, InputOptions},
    problem::ReadError,
    problem_kind::ProblemKind,
    reader::RecordReader,
};

/// An opened input. The first pass over the input detects the format.
#[derive(Debug)]
pub(super) struct InputFile {
    /// The name of the input in messages.
    pub(super) name: Arc<str>,
    content: Content,
    /// The format from an option or from the file name. `None` if only the bytes of the input can
    /// determine the format.
    known_format: Option<InputFormat>,
    detected_format: Option<DetectedFormat>,
    /// Whether the first pass did not reach the end of the input. Further passes of the validation
    /// skip an incomplete input, because its records cannot be sent anyway.
    pub(super) is_incomplete: bool,
}

impl InputFile {
    pub(super) fn open(
        source: &InputSource,
        options: &InputOptions,
        read_limits: &ReadLimits,
    ) -> Result<Self, ProblemKind> {
        let name = source.name();
        let format_from_source = || match source {
            InputSource::File(_) => format_from_name(&name),
            InputSource::Stdin | InputSource::Memory(_) => None,
        };
        Ok(Self {
            content: Content::open(source, read_limits).map_err(ProblemKind::cannot_open)?,
            known_format: options.format.or_else(format_from_source),
            name,
            detected_format: None,
            is_incomplete: false,
        })
    }

    /// Replaces the limits of all later passes.
    pub(super) fn set_read_limits(&mut self, read_limits: ReadLimits) {
        self.content.set_read_limits(read_limits);
    }

    /// Returns the format, or `None` if the format has not been detected yet.
    pub(super) fn detected_format(&self) -> Option<&DetectedFormat> {
        self.detected_format.as_ref()
    }

    /// Returns the format. Detects the format first if no earlier pass has done so.
    ///
    /// # Errors
    ///
    /// The same errors as the function [`detect_format`].
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
    /// A fatal error if the input cannot be opened, its format cannot be detected, or its header
    /// row is wrong.
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
