//! [`PeerRole`]: the side of a TLS connection that presents a certificate.

use std::fmt;

use webpki::{
    Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
};

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

/// The object identifier of `anyExtendedKeyUsage`.
const ANY_USAGE: [usize; 5] = [2, 5, 29, 37, 0];

/// Unlike webpki's own check, this one accepts `anyExtendedKeyUsage` (RFC 5280 section 4.2.1.12).
impl ExtendedKeyUsageValidator for PeerRole {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let purposes = purposes.map(|purpose| Ok(purpose?.to_decoded_oid()));
        let present = purposes.collect::<Result<Vec<_>, Error>>()?;
        let (required, number) = match self {
            Self::Server => (KeyUsage::server_auth(), KeyUsage::SERVER_AUTH_REPR),
            Self::Client => (KeyUsage::client_auth(), KeyUsage::CLIENT_AUTH_REPR),
        };
        let is_allowed = |purpose: &Vec<usize>| *purpose == number || *purpose == ANY_USAGE;
        // A certificate without the extension allows every usage.
        if present.is_empty() || present.iter().any(is_allowed) {
            return Ok(());
        }
        let context = RequiredEkuNotFoundContext { required, present };
        Err(Error::RequiredEkuNotFoundContext(context))
    }
}
