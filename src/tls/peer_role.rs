//! [`PeerRole`]: the side of a TLS connection that presents a certificate.

use std::fmt;

use webpki::KeyUsage;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerRole {
    Server,
    Client,
}

/// The name of the role in text, and in the names of extended key usages such as `serverAuth`.
impl fmt::Display for PeerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

impl PeerRole {
    /// Returns webpki's check of the extended key usage.
    pub(super) fn key_usage(self) -> KeyUsage {
        match self {
            Self::Server => KeyUsage::server_auth(),
            Self::Client => KeyUsage::client_auth(),
        }
    }
}
