//! The gRPC client: one connection to one server, and single calls on it.
//!
//! Retries, reconnecting and the pace of requests are in `delivery/`; messages about failures are in
//! `diagnostics/`.

mod connect;
mod descriptors;
mod error;
mod grpc_client;
mod reflection;
mod response;

pub(crate) use self::{
    connect::{ConnectError, ConnectErrorKind, Stage, StageOutcome, TlsSession},
    descriptors::ReflectionError,
    error::{CallError, RetryAdvice},
    grpc_client::{Client, OpenedCall, Target},
};
