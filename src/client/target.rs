//! [`Target`]: the settings of a connection to one server and of the calls on that connection.

use std::time::Duration;

use http::{
    HeaderValue, Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

use crate::{endpoint::Endpoint, metadata::Metadata, proxy::Proxy, tls::ClientTls};

#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) authority: Authority,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) tls: Option<ClientTls>,
    /// The maximum time from the start of the DNS lookup to the arrival of the server's HTTP/2
    /// SETTINGS.
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) user_agent: HeaderValue,
    pub(crate) metadata: Metadata,
    pub(crate) sends_gzip: bool,
    /// The interval between HTTP/2 PINGs while a call is open, or `None` for no PINGs.
    pub(crate) keepalive_interval: Option<Duration>,
}

impl Target {
    pub(super) fn uri(&self, path: PathAndQuery) -> Uri {
        let mut parts = Parts::default();
        parts.scheme = Some(match self.tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        });
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).unwrap_or_default()
    }
}
