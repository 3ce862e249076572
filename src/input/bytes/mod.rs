//! The bytes of an input: origin, repeated passes, decompression and read limits.

mod compression;
mod content;
mod line_buffer;
mod read_limits;
mod recorded_stream;
mod stream_error;
mod text_end;
mod verified_file;

pub(super) use content::Content;
pub(crate) use content::InputSource;
pub(super) use line_buffer::LineBuffer;
pub(crate) use read_limits::ReadLimits;
pub(crate) use stream_error::StreamError;
