//! The messages on the wire: the server's contract, built in or found in descriptors, the encoding
//! of requests and the decoding of responses.
//!
//! Asking a server for its descriptors belongs to `client`.

mod code_field;
mod codec;
mod descriptors;
mod discovery;
mod error;
mod messages;
pub(crate) mod proto;
mod short_bytes;
mod time_field;

pub(crate) use codec::MalformedResponse;
pub(crate) use descriptors::{compile_proto, decode_descriptor_set, is_well_known, link_files};
pub(crate) use discovery::find_contract;
pub(crate) use error::{EncodeError, MethodProblem, SchemaError};
pub(crate) use messages::{Contract, DecodedRecord};
