//! The parsers of JSON documents (RFC 8259) and NDJSON. `serde_json` parses each record, but this
//! module finds the records, because a parser of whole documents neither streams the elements of an
//! array nor continues after an invalid element.

mod fast_path;
mod outline;
mod reader;
mod record;
mod scanner;

pub(super) use outline::{
    Member, check_keys, check_path, check_syntax, find_only_array, find_record_arrays,
    only_pointer, read_root_members,
};
pub(super) use reader::JsonReader;
