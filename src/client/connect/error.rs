//! [`ConnectError`]: the stage at which connecting failed, and the reason.

use std::{fmt, io, iter, time::Duration};

use http::StatusCode;
use rustix::io::Errno;

use super::{
    server_bytes::Received,
    stage_outcome::{AddressFailure, Stage},
};
use crate::{
    client::{
        error::CallError,
        server_text::safe_text,
        transport_error::{classify, describe_violation, find_io, is_closed},
    },
    endpoint::Endpoint,
    metadata::Metadata,
    proxy::Proxy,
    tls::{CertificateAnswer, ClientRefusal, HandshakeError, TlsProtocolError},
    user_path::reason_of,
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
    #[error("{}", reason_of(.0))]
    Io(io::Error),
    #[error("cannot start a thread: {}", reason_of(.0))]
    NoThread(io::Error),
    #[error("the name has no address")]
    NoAddress,
    #[error("{}", join(.0))]
    AllAddressesFailed(Vec<AddressFailure>),
    #[error(transparent)]
    Tls(HandshakeError),
    #[error("server speaks HTTP/1.1 and answered \"{status_line}\"")]
    Http1 { status_line: String },
    #[error("server does not speak HTTP/2")]
    NotHttp2,
    #[error("proxy answered HTTP status {0}")]
    ProxyRefused(StatusCode),
    #[error("proxy does not speak HTTP")]
    ProxyNotHttp,
    #[error("proxy closed the connection")]
    ProxyClosed,
    #[error("server closed the connection")]
    Closed,
    /// The server closed a plaintext connection, but answered a TLS handshake on a second one.
    #[error("server expects TLS")]
    ServerExpectsTls,
    #[error(transparent)]
    Http2(CallError),
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
    /// Returns whether this process or the system has too many open files.
    pub(crate) fn is_file_limit(&self) -> bool {
        match self {
            Self::Io(error) => is_file_limit(error),
            Self::AllAddressesFailed(failures) => {
                failures.iter().any(|failure| is_file_limit(&failure.error))
            }
            _ => false,
        }
    }

    /// Classifies an error of an HTTP/2 or HTTP/1.1 connection by the sources of the error.
    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
        match find_io(error) {
            Some(io) if describe_violation(error).is_none() => {
                Self::from_io(io::Error::new(io.kind(), io.to_string()))
            }
            _ => Self::Http2(classify(error)),
        }
    }

    fn from_io(error: io::Error) -> Self {
        if is_closed(&error) {
            return Self::Closed;
        }
        Self::Io(error)
    }

    pub(super) fn from_handshake(error: io::Error) -> Self {
        match TlsProtocolError::from_io(&error) {
            Some(error) => Self::Tls(error.into()),
            None => Self::from_io(error),
        }
    }

    /// Blames the client certificate, or its absence, for the end of a connection on which the server
    /// had requested a client certificate and got `answer`.
    pub(super) fn after_certificate_request(self, answer: CertificateAnswer) -> Self {
        let alert = match self {
            Self::Tls(error) => return Self::Tls(error.after_certificate_request(answer)),
            Self::Closed => None,
            Self::Io(error) => worded(&error).cloned(),
            kind => return kind,
        };
        Self::Tls(HandshakeError::ClientRefused(ClientRefusal {
            answer,
            alert,
        }))
    }

    /// Restores the TLS alert of the server, or names the protocol of a server whose first bytes are
    /// not valid HTTP/2.
    pub(super) fn refine(self, received: &Received) -> Self {
        let first_bytes = &*received.first_bytes;
        match self {
            Self::Io(error) => Self::Io(match &received.alert {
                Some(alert) => io::Error::new(error.kind(), alert.clone()),
                None => error,
            }),
            Self::Http2(CallError::ProtocolError(_)) if first_bytes.starts_with(b"HTTP/1.") => {
                let line = first_bytes.split(|byte| *byte == b'\r').next();
                let status_line = peer_text(line.unwrap_or(first_bytes));
                Self::Http1 { status_line }
            }
            // The first bytes are decrypted, so invalid TLS leaves `first_bytes` empty.
            Self::Http2(CallError::ProtocolError(_)) if !first_bytes.is_empty() => Self::NotHttp2,
            kind => kind,
        }
    }
}

/// Returns text of a peer as it may be shown. The peer has seen neither a token nor a header value.
pub(super) fn peer_text(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    safe_text(&text, &Metadata::default(), iter::empty())
}

/// Returns whether this process or the system has too many open files.
pub(crate) fn is_file_limit(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// Returns the error of TLS that an established connection reported.
fn worded(error: &io::Error) -> Option<&TlsProtocolError> {
    error.get_ref()?.downcast_ref()
}

fn join(failures: &[AddressFailure]) -> String {
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    failures.join("; ")
}
