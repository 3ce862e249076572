//! Certificate chains in the order in which servers present them: the server certificate, then the
//! intermediates.

use rustls::pki_types::{CertificateDer, UnixTime};

use super::{
    certificate::{CertificateInfo, DistinguishedName},
    trust::TrustBasis,
};

/// The certificates that a server presented, whether or not they are trusted.
#[derive(Clone, Debug, Default)]
pub(crate) struct PresentedChain {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// The reason why the server certificate is trusted, or `None` if the certificate was refused.
    pub(crate) trust: Option<TrustBasis>,
}

/// A certificate chain to verify.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnverifiedChain<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    /// The parsed form of `end_entity`.
    pub(super) info: &'a CertificateInfo,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
}

impl UnverifiedChain<'_> {
    /// Parses the intermediates, and skips each intermediate that cannot be parsed.
    pub(super) fn parse_intermediates(&self) -> Vec<CertificateInfo> {
        self.intermediates
            .iter()
            .filter_map(|der| CertificateInfo::from_der(der).ok())
            .collect()
    }

    /// Follows the issuers from the server certificate upwards. Returns the first issuer that has
    /// no certificate in the chain or is self-signed.
    pub(super) fn missing_issuer(&self) -> DistinguishedName {
        let intermediates = self.parse_intermediates();
        let mut issuer = &self.info.issuer;
        // The number of intermediates limits the number of steps, because two intermediates that
        // issued each other would otherwise make the loop endless.
        for _ in &intermediates {
            match intermediates.iter().find(|info| info.subject == *issuer) {
                Some(next) if next.issuer != *issuer => issuer = &next.issuer,
                _ => break,
            }
        }
        issuer.clone()
    }
}
