//! [`Stage`] and [`StageSuccess`]: the stages of a connection, and the results of the stages.

use std::{io, net::SocketAddr};

use crate::user_path::reason_of;

/// A stage of establishing a connection. The variants are in the order of the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Dns,
    /// The connection to a TCP port or to a Unix domain socket.
    Tcp,
    Proxy,
    Tls,
    Http2,
}

#[derive(Debug)]
pub(crate) enum StageSuccess {
    /// The DNS lookup found these addresses of the proxy, or of the server if no proxy is used.
    Resolved(Vec<SocketAddr>),
    TcpConnected {
        address: SocketAddr,
        failures: Vec<AddressFailure>,
    },
    UnixConnected,
    ProxyConnected,
    TlsEstablished(TlsSession),
    SettingsReceived,
}

#[derive(Debug, thiserror::Error)]
#[error("{address}: {}", reason_of(.error))]
pub(crate) struct AddressFailure {
    pub(crate) address: SocketAddr,
    pub(crate) error: io::Error,
}

/// The parameters that a TLS handshake negotiated. `cipher_suite` and `key_exchange` hold the names
/// that rustls uses. A parameter without a name is "unknown".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsSession {
    pub(crate) version: String,
    pub(crate) cipher_suite: String,
    pub(crate) key_exchange: String,
}

impl TlsSession {
    pub(super) fn from_connection(connection: &rustls::ClientConnection) -> Self {
        let or_unknown = |name: Option<&str>| name.unwrap_or("unknown").to_owned();
        let suite = connection.negotiated_cipher_suite();
        let group = connection.negotiated_key_exchange_group();
        Self {
            version: or_unknown(match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => Some("TLS 1.2"),
                Some(rustls::ProtocolVersion::TLSv1_3) => Some("TLS 1.3"),
                _ => None,
            }),
            cipher_suite: or_unknown(suite.and_then(|suite| suite.suite().as_str())),
            key_exchange: or_unknown(group.and_then(|group| group.name().as_str())),
        }
    }
}
