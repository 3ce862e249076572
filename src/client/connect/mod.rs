//! Establishing a connection: DNS lookup, TCP connection, proxy, TLS handshake and HTTP/2 SETTINGS.
//!
//! `stages.rs` runs the stages in order. Each stage has its own file. Trust decisions are in
//! `tls/`.

mod byte_stream;
mod dns_and_tcp;
mod error;
mod http2;
mod proxy_tunnel;
mod server_bytes;
mod stage_outcome;
mod stages;
mod tls_handshake;

pub(crate) use self::{
    error::{ConnectError, ConnectErrorKind, is_file_limit},
    stage_outcome::{Stage, StageSuccess, TlsSession},
    stages::LastAddress,
};
pub(super) use self::{http2::Http2Connection, stages::connect};
