//! [`PeerRole`]: the side of a TLS connection that presents a certificate.

use std::fmt;

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
