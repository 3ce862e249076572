//! The bytes of an input: origin, repeated passes, decompression and read limits.
//!
//! A pass reads the bytes of an input from the start. This module knows neither formats nor
//! records.

mod compression;
mod content;
mod fill;
mod line_buffer;
mod read_limits;
mod recorded_stream;
mod source;
mod stream_error;
mod verified_file;

pub(super) use content::Content;
pub(super) use fill::fill;
pub(super) use line_buffer::{LineBuffer, LinePosition};
pub(crate) use read_limits::ReadLimits;
pub(crate) use source::InputSource;
pub(crate) use stream_error::StreamError;
pub(super) use verified_file::BLOCK_BYTES;
