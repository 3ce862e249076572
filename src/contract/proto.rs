//! The types and the service that `build.rs` generates from `proto/sensor.proto`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated code follows its generator's style"
)]

tonic::include_proto!("_");

pub(crate) const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/sensor.fds"));
