//! Bytes of an input: where they come from, read again, decompressed, within limits.

mod compression;
mod content;
mod line_buffer;
mod read_limits;

pub(super) use compression::decode;
pub(crate) use content::Origin;
pub(super) use content::{BLOCK, Content, fill};
pub(super) use line_buffer::Window;
pub(crate) use read_limits::Patience;
