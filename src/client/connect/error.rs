//! [`ConnectError`]: the stage at which connecting failed, and the reason.
//!
//! `delivery/retry_decision.rs` decides which of these errors are retried.
//! `diagnostics/connection.rs` contains their user-visible text.

use std::{error::Error, io, time::Duration};

use http::StatusCode;

use super::stage_outcome::{AddressFailure, Stage};
use crate::{
    client::error_chain::is_protocol_error, endpoint::Endpoint, proxy::Proxy, tls::HandshakeError,
};

/// The error of a connection that could not be established.
#[derive(Debug)]
pub(crate) struct ConnectError {
    pub(crate) endpoint: Endpoint,
    /// The proxy to connect through, or `None` for a direct connection.
    pub(crate) proxy: Option<Proxy>,
    /// The stage that failed.
    pub(crate) stage: Stage,
    pub(crate) kind: ConnectErrorKind,
    /// Whether a client certificate is configured.
    pub(crate) has_client_certificate: bool,
}

/// The reason why a stage failed.
#[derive(Debug)]
pub(crate) enum ConnectErrorKind {
    /// The connect timeout, which has this length, passed.
    TimedOut(Duration),
    /// The DNS lookup failed, or the operating system reported an error of the connection.
    Io(io::Error),
    /// The DNS lookup found no address.
    NoAddress,
    /// No address of the server, or of the proxy if a proxy is used, accepted a TCP connection.
    AllAddressesFailed(Vec<AddressFailure>),
    /// The TLS handshake failed: this program ended the handshake, or the server sent an alert.
    Tls(HandshakeError),
    /// The first bytes from the server, which belong to neither a SETTINGS nor a GOAWAY frame.
    NotHttp2(Vec<u8>),
    /// The server sent bytes that are not valid TLS or HTTP/2.
    ProtocolError(String),
    /// The server sent GOAWAY instead of SETTINGS.
    GoAway(h2::Reason),
    /// The proxy answered CONNECT with this HTTP status, which is not 2xx.
    ProxyRefused(StatusCode),
    /// The proxy answered with something other than HTTP.
    ProxyNotHttp,
    /// The server or the proxy closed the connection.
    Closed,
    /// The server closed a plaintext connection, but answered a TLS handshake on a second
    /// connection.
    ServerExpectsTls,
    /// The HTTP library reported an error of some other kind.
    Http2(Box<dyn Error + Send + Sync>),
}

impl ConnectErrorKind {
    /// Classifies an error of an HTTP/2 or HTTP/1.1 connection by the sources of the error.
    pub(super) fn from_hyper(error: hyper::Error) -> Self {
        let mut source = error.source();
        while let Some(inner) = source {
            if is_protocol_error(inner) {
                return Self::ProtocolError(inner.to_string());
            }
            let h2 = inner.downcast_ref::<h2::Error>();
            let io = inner.downcast_ref::<io::Error>();
            if let Some(io) = io.or_else(|| h2?.get_io()) {
                return match tls_error(io) {
                    Some(error) => Self::Tls(error.clone().into()),
                    None if io.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
                    None => Self::Io(io::Error::new(io.kind(), io.to_string())),
                };
            }
            source = inner.source();
        }
        Self::Http2(error.into())
    }

    /// Classifies a TLS handshake error.
    pub(super) fn from_handshake(error: io::Error) -> Self {
        match tls_error(&error) {
            Some(error) => Self::Tls(error.clone().into()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Io(error),
        }
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
