//! JSON documents (RFC 8259) and NDJSON.

mod fast_path;
mod outline;
mod reader;
mod record;
mod scanner;

pub(super) use outline::{Outline, check};
pub(super) use reader::{JsonReader, Layout};
