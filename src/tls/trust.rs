//! The certificates that are configured as trusted, and the reasons for trusting a server.

use rustls::RootCertStore;

use super::{certificate::Certificate, error::TlsError};

/// The servers that a client trusts.
#[derive(Debug)]
pub(crate) enum TrustPolicy {
    /// Servers whose certificate chain ends in this trust store of the operating system.
    System(RootCertStore),
    /// Servers whose certificate is in this list, or was issued by a certificate in this list.
    Certificates(Vec<Certificate>),
    Unverified,
}

/// The reason why a server certificate is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrustBasis {
    /// The certificate itself is configured as trusted.
    Pinned,
    /// A configured certificate issued the server certificate, directly or through intermediates.
    Issued,
    System,
    /// Verification is turned off.
    Unverified,
}

impl TrustPolicy {
    pub(crate) fn system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            return Err(TlsError::NoSystemTrustStore(found.errors));
        }
        Ok(Self::System(roots))
    }

    pub(super) fn certificates(&self) -> &[Certificate] {
        match self {
            Self::Certificates(certificates) => certificates,
            Self::System(_) | Self::Unverified => &[],
        }
    }
}
