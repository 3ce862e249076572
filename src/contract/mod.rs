//! The contract between client and server: the gRPC method that receives records, and the fields of
//! its messages. Querying a server for its descriptors belongs to `client`.

mod codec;
mod descriptors;
mod discovery;
mod error;
mod messages;
pub(crate) mod proto;
mod time_field;
mod varint;

pub(crate) use descriptors::{compile_proto, decode_descriptor_set, is_well_known, link_files};
pub(crate) use discovery::find_contract;
pub(crate) use error::ContractError;
pub(crate) use messages::{Contract, DecodedRecord, PREFIX_BYTES};
