//! The types and the service that `build.rs` generates from `proto/sensor.proto`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated code follows its generator's style"
)]

tonic::include_proto!("_");

/// The encoded descriptor set of `proto/sensor.proto`, which the receiver offers through server
/// reflection.
pub(crate) const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/sensor.fds"));
