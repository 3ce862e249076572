//! The certificates that are configured as trusted, and the reasons for trusting a server.

use rustls::{RootCertStore, pki_types::CertificateDer};

use super::{certificate::CertificateInfo, error::TlsError, pem};
use crate::user_path::UserPath;

/// The servers that a client trusts.
#[derive(Debug)]
pub(crate) enum TrustPolicy {
    /// Servers whose certificate chain ends in the operating system's trust store.
    System,
    /// Servers whose certificate is in this list, or was issued by a certificate in this list.
    Certificates(Vec<CertificateDer<'static>>),
    /// Every server.
    Unverified,
}

/// The reason why a server certificate is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrustBasis {
    /// The certificate itself is configured as trusted.
    Pinned,
    /// A certificate that is configured as trusted issued the server certificate, directly or
    /// through intermediates.
    Issued,
    /// The certificate chain ends in the operating system's trust store.
    System,
    /// Verification is turned off.
    Unverified,
}

/// The certificates of a [`TrustPolicy`], ready for verification.
#[derive(Debug)]
pub(super) enum TrustRoots {
    System(RootCertStore),
    Certificates(Vec<TrustedCertificate>),
    Unverified,
}

/// A certificate that is configured as trusted.
#[derive(Debug)]
pub(super) struct TrustedCertificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) info: CertificateInfo,
}

impl TrustRoots {
    /// Loads the certificates of a policy.
    pub(super) fn load(policy: TrustPolicy) -> Result<Self, TlsError> {
        Ok(match policy {
            TrustPolicy::System => Self::System(system_roots()?),
            TrustPolicy::Certificates(certificates) => {
                Self::Certificates(parse_trusted(certificates)?)
            }
            TrustPolicy::Unverified => Self::Unverified,
        })
    }

    /// Returns the certificates that are configured as trusted. The slice is empty for `System` and
    /// `Unverified`.
    pub(super) fn certificates(&self) -> &[TrustedCertificate] {
        match self {
            Self::Certificates(certificates) => certificates,
            Self::System(_) | Self::Unverified => &[],
        }
    }
}

/// Reads the certificates to trust from PEM files.
pub(crate) fn read_trusted_certificates(
    files: &[UserPath],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut certificates = Vec::new();
    for file in files {
        certificates.extend(pem::read_certificates(file).map_err(TlsError::Pem)?);
    }
    Ok(certificates)
}

/// Parses certificates that are configured as trusted.
pub(super) fn parse_trusted(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<Vec<TrustedCertificate>, TlsError> {
    certificates
        .into_iter()
        .map(|der| match CertificateInfo::from_der(&der) {
            Ok(info) => Ok(TrustedCertificate { der, info }),
            Err(reason) => Err(TlsError::InvalidTrustRoot(reason)),
        })
        .collect()
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(TlsError::NoSystemTrustStore {
            causes: found.errors.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(roots)
}
