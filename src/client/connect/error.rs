//! [`ConnectError`]: the stage at which connecting failed, and the reason.

use std::{error::Error, fmt, io, iter, time::Duration};

use http::StatusCode;

use super::stage_outcome::{AddressFailure, Stage};
use crate::{
    client::{
        error::describe_goaway,
        server_text::safe_text,
        transport_error::{chain, is_protocol_error},
    },
    endpoint::Endpoint,
    metadata::Metadata,
    proxy::Proxy,
    tls::HandshakeError,
};

#[derive(Debug)]
pub(crate) struct ConnectError {
    pub(crate) endpoint: Endpoint,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) stage: Stage,
    pub(crate) kind: ConnectErrorKind,
    pub(crate) has_client_certificate: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectErrorKind {
    #[error("timed out after {0:?}")]
    TimedOut(Duration),
    /// The DNS lookup failed, or the operating system reported an error of the connection.
    #[error(transparent)]
    Io(io::Error),
    #[error("the name has no address")]
    NoAddress,
    /// No address of the server, or of the proxy if a proxy is used, accepted a TCP connection.
    #[error("{}", join(.0))]
    AllAddressesFailed(Vec<AddressFailure>),
    #[error(transparent)]
    Tls(HandshakeError),
    #[error("server speaks HTTP/1.1 and answered \"{status_line}\"")]
    Http1 { status_line: String },
    /// The first bytes from the server belong to neither a SETTINGS nor a GOAWAY frame.
    #[error("server does not speak HTTP/2")]
    NotHttp2,
    #[error("server sent invalid TLS or HTTP/2: {0}")]
    ProtocolError(String),
    /// The server sent GOAWAY instead of SETTINGS.
    #[error("{}", describe_goaway(*.0))]
    GoAway(h2::Reason),
    #[error("proxy answered HTTP status {0}")]
    ProxyRefused(StatusCode),
    #[error("proxy does not speak HTTP")]
    ProxyNotHttp,
    /// The server or the proxy closed the connection.
    #[error("peer closed the connection")]
    Closed,
    /// The server answered plaintext with a TLS record, or closed a plaintext connection but
    /// answered a TLS handshake on a second connection.
    #[error("server expects TLS")]
    ServerExpectsTls,
    #[error("{0}")]
    Http2(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            proxy,
            stage,
            kind,
            ..
        } = self;
        write!(f, "cannot connect to \"{endpoint}\"")?;
        if let Some(proxy) = proxy {
            write!(f, " through proxy \"{}\"", proxy.address)?;
        }
        match (stage, endpoint) {
            (Stage::Dns, _) => {
                let host = proxy
                    .as_ref()
                    .map_or(endpoint.host(), |proxy| &proxy.address.host);
                write!(f, ": DNS lookup of \"{host}\"")?;
            }
            (Stage::Tcp, Endpoint::Unix(_)) => f.write_str(": connection to the socket")?,
            (Stage::Tcp, Endpoint::Tcp(_)) => f.write_str(": TCP connection")?,
            (Stage::Proxy, _) => f.write_str(": CONNECT request to the proxy")?,
            (Stage::Tls, _) => f.write_str(": TLS handshake")?,
            (Stage::Http2, _) => f.write_str(": waiting for HTTP/2 SETTINGS")?,
        }
        match kind {
            ConnectErrorKind::TimedOut(_) => write!(f, " {kind}"),
            _ => write!(f, " failed: {kind}"),
        }
    }
}

impl ConnectErrorKind {
    /// Classifies an error of an HTTP/2 or HTTP/1.1 connection by the sources of the error.
    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
        for inner in chain(error.source()) {
            if is_protocol_error(inner) {
                return Self::ProtocolError(peer_text(inner.to_string().as_bytes()));
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
        }
        Self::Http2(peer_text(error.to_string().as_bytes()))
    }

    pub(super) fn from_handshake(error: io::Error) -> Self {
        match tls_error(&error) {
            Some(error) => Self::Tls(error.clone().into()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Io(error),
        }
    }

    /// Classifies the first bytes from a server, which are neither SETTINGS nor GOAWAY.
    pub(super) fn from_first_bytes(bytes: &[u8]) -> Self {
        match bytes {
            // A TLS record (RFC 8446 section 5.1): the content type, which is 0x15 for an alert and
            // 0x16 for a handshake message, and the major version 3.
            [0x15 | 0x16, 3, ..] => Self::ServerExpectsTls,
            _ if bytes.starts_with(b"HTTP/1.") => {
                let line = bytes.split(|byte| *byte == b'\r').next();
                let status_line = peer_text(line.unwrap_or(bytes));
                Self::Http1 { status_line }
            }
            _ => Self::NotHttp2,
        }
    }
}

/// Returns text of a peer as it may be shown. The peer has seen neither a token nor a header value.
pub(super) fn peer_text(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    safe_text(&text, &Metadata::default(), iter::empty())
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn join(failures: &[AddressFailure]) -> String {
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    failures.join("; ")
}
