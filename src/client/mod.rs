//! The gRPC client: one connection to one server, and single gRPC calls on that connection.
//!
//! Retries, reconnecting and rate limits are in `delivery/`.

mod close_reason;
mod connect;
mod descriptors;
mod error;
mod grpc_client;
mod health;
mod reflection;
mod request;
mod response;
mod retry_advice;
mod server_text;
mod target;
mod transport_error;

pub(crate) use self::{
    connect::{
        ConnectError, ConnectErrorKind, LastAddress, Stage, StageSuccess, TlsSession, is_file_limit,
    },
    descriptors::fetch_service_files,
    error::CallError,
    grpc_client::{Client, OpenCallResult},
    health::check_health,
    reflection::{ReflectionError, list_services},
    retry_advice::RetryAdvice,
    server_text::mask_secrets,
    target::Target,
};
