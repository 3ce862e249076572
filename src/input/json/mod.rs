//! The parsers of JSON documents (RFC 8259) and NDJSON.
//!
//! `serde_json` parses each record. This module itself finds the start and the end of each record,
//! because a parser of whole documents neither streams the elements of an array nor continues after
//! an invalid element.

mod document;
mod fast_path;
mod ndjson;
mod outline;
mod record;
mod scanner;

pub(super) use document::DocumentReader;
pub(super) use ndjson::NdjsonReader;
pub(super) use outline::{DocumentCount, Outline, check_syntax};
