//! JSON documents (RFC 8259) and NDJSON.
//!
//! `serde_json` parses each record. This folder finds where a record starts and ends, because a
//! parser of whole documents neither streams the elements of an array nor continues after a
//! malformed one.

mod document;
mod fast_path;
mod ndjson;
mod outline;
mod record;
mod scanner;

pub(super) use document::DocumentReader;
pub(super) use ndjson::NdjsonReader;
pub(super) use outline::{Documents, Outline, check};
