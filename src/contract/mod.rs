//! The contract on the wire: what requests and responses look like, and the encoding of requests.

mod codec;
mod descriptors;
mod messages;

pub(crate) use self::{
    codec::MalformedResponse,
    descriptors::{
        MethodProblem, SchemaError, compile_proto, decode_descriptor_set, find_contract,
        is_well_known, link_files,
    },
    messages::{Contract, DecodedRecord, EncodeError},
};

/// What `proto/sensor.proto` generates.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated code follows its generator's style"
)]
pub(crate) mod proto {
    tonic::include_proto!("_");

    /// The contract's file, for server reflection.
    pub(crate) const FILE_DESCRIPTOR_SET: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/sensor.fds"));
}
