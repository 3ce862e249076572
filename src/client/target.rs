//! [`Target`]: the settings of a connection to one server and of the calls on that connection.

use std::time::Duration;

use http::{
    HeaderValue, Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

use crate::{endpoint::Endpoint, metadata::Metadata, proxy::Proxy, tls::ClientTls};

/// The settings of a connection to one server and of the calls on that connection.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    /// The HTTP/2 `:authority`.
    pub(crate) authority: Authority,
    /// The proxy to connect through, or `None` for a direct connection.
    pub(crate) proxy: Option<Proxy>,
    /// The TLS settings, or `None` for plaintext.
    pub(crate) tls: Option<ClientTls>,
    /// The maximum time from the start of the DNS lookup to the arrival of the server's HTTP/2
    /// SETTINGS.
    pub(crate) connect_timeout: Duration,
    /// The timeout of one call.
    pub(crate) timeout: Duration,
    pub(crate) user_agent: HeaderValue,
    pub(crate) metadata: Metadata,
    /// Whether request messages are compressed with gzip.
    pub(crate) sends_gzip: bool,
    /// The interval between HTTP/2 PINGs while a call is open, or `None` for no PINGs.
    pub(crate) keepalive_interval: Option<Duration>,
}

impl Target {
    /// Returns the URI that holds the scheme and the `:authority` of all calls.
    pub(super) fn origin(&self) -> Uri {
        let mut parts = Parts::default();
        parts.scheme = Some(match self.tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        });
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        Uri::from_parts(parts).unwrap_or_default()
    }
}
