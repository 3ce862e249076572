//! Certificate chains as servers present them: the server certificate first, then intermediates.

use rustls::pki_types::{CertificateDer, UnixTime};

use super::{
    certificate::{CertificateInfo, DistinguishedName},
    trust::TrustBasis,
};

/// The certificates that a server presented, trusted or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct PresentedChain {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// The reason why the server certificate is trusted; `None` if it was refused.
    pub(crate) trust: Option<TrustBasis>,
}

/// A certificate chain that is being verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnverifiedChain<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    /// The parsed `end_entity`.
    pub(super) info: &'a CertificateInfo,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
}

impl UnverifiedChain<'_> {
    /// Parses the intermediates, without those that cannot be parsed.
    pub(super) fn parse_intermediates(&self) -> Vec<CertificateInfo> {
        self.intermediates
            .iter()
            .filter_map(|der| CertificateInfo::from_der(der).ok())
            .collect()
    }

    /// Returns the first issuer on the way up that the chain does not contain.
    pub(super) fn missing_issuer(&self) -> DistinguishedName {
        let intermediates = self.parse_intermediates();
        let mut issuer = &self.info.issuer;
        // Each intermediate is one step at most, so that intermediates that issued each other end
        // the loop too.
        for _ in &intermediates {
            match intermediates.iter().find(|info| info.subject == *issuer) {
                Some(next) if next.issuer != *issuer => issuer = &next.issuer,
                _ => break,
            }
        }
        issuer.clone()
    }
}
