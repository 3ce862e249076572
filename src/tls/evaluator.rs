//! [`TrustEvaluator`]: decides whether a server certificate is trusted.
//!
//! A certificate that is itself configured as trusted is *pinned*. A pinned certificate needs no
//! chain, so only its key length, validity period, key usage and names are checked. Any other
//! certificate must have a chain to a *trust root*, which is a certificate that is trusted as an
//! issuer (RFC 5280). The certificate must also contain the server's name (RFC 9525).

use rustls::{
    Error, RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    crypto::WebPkiSupportedAlgorithms,
    server::ParsedCertificate,
};

use super::{
    certificate::CertificateInfo,
    chain::UnverifiedChain,
    explanation::{explain_refusal, unknown_self_signed},
    peer_name::PeerName,
    refusal::{RefusalReason, check_validity},
    trust::{TrustBasis, TrustRoots, TrustedCertificate},
};

/// The rules that a server certificate must satisfy.
#[derive(Debug)]
pub(super) struct TrustEvaluator {
    pub(super) server_name: PeerName,
    pub(super) roots: TrustRoots,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl TrustEvaluator {
    /// Returns the reason why a server certificate is trusted.
    ///
    /// # Errors
    ///
    /// The reason why the certificate is refused.
    pub(super) fn evaluate(
        &self,
        chain: &UnverifiedChain<'_>,
    ) -> Result<TrustBasis, RefusalReason> {
        if let Some(bits) = chain.info.weak_rsa_key_bits() {
            return Err(RefusalReason::WeakKey { bits });
        }
        let mut trusted = self.roots.certificates().iter();
        if trusted.any(|root| root.der == *chain.end_entity) {
            self.check_pinned(chain)?;
            return Ok(TrustBasis::Pinned);
        }
        self.check_issued(chain)?;
        Ok(match self.roots {
            TrustRoots::System(_) => TrustBasis::System,
            TrustRoots::Certificates(_) | TrustRoots::Unverified => TrustBasis::Issued,
        })
    }

    fn check_pinned(&self, chain: &UnverifiedChain<'_>) -> Result<(), RefusalReason> {
        check_validity(chain.info, chain.now)?;
        if !chain.info.allows_tls_server {
            return Err(RefusalReason::InvalidPurpose);
        }
        if chain.info.alternative_names.is_some() {
            let parsed = ParsedCertificate::try_from(chain.end_entity)?;
            return self.check_alternative_names(&parsed);
        }
        self.check_common_name(chain.info)
    }

    fn check_issued(&self, chain: &UnverifiedChain<'_>) -> Result<(), RefusalReason> {
        if chain.info.has_weak_signature {
            return Err(RefusalReason::WeakSignature);
        }
        let parsed = ParsedCertificate::try_from(chain.end_entity).map_err(|error| {
            match RefusalReason::from(error) {
                // A self-signed certificate that is not pinned is refused for that reason, even if
                // rustls cannot parse the certificate.
                _ if chain.info.is_self_issued() => {
                    unknown_self_signed(chain.info, self.roots.certificates())
                }
                _ if chain.info.is_x509_v1 => RefusalReason::X509V1NotPinned,
                other => other,
            }
        })?;
        self.check_chain(&parsed, chain)?;
        if chain.info.alternative_names.is_some() {
            return self.check_alternative_names(&parsed);
        }
        self.check_common_name(chain.info)?;
        if self.server_name.allows_common_name() {
            Ok(())
        } else {
            Err(RefusalReason::CommonNameOnly)
        }
    }

    /// Checks that the chain ends in a trust root.
    fn check_chain(
        &self,
        parsed: &ParsedCertificate<'_>,
        chain: &UnverifiedChain<'_>,
    ) -> Result<(), RefusalReason> {
        let result = match &self.roots {
            TrustRoots::Unverified => Ok(()),
            TrustRoots::System(roots) => self.verify_against(roots, parsed, chain),
            TrustRoots::Certificates(trusted) => {
                // rustls ignores the validity period of a trust root, so the chain is verified with
                // only the roots that are valid at the present time.
                let (valid, invalid): (Vec<_>, Vec<_>) = trusted
                    .iter()
                    .partition(|root| check_validity(&root.info, chain.now).is_ok());
                let result = self.verify_against(&root_store(&valid), parsed, chain);
                if result.is_err() {
                    let issuer = invalid.into_iter().find(|root| {
                        self.verify_against(&root_store(&[root]), parsed, chain)
                            .is_ok()
                    });
                    if let Some(issuer) = issuer {
                        let issuer = Box::new(issuer.info.clone());
                        return Err(RefusalReason::IssuerOutsideValidity(issuer));
                    }
                }
                result
            }
        };
        result.map_err(|error| explain_refusal(error, chain, self.roots.certificates()))
    }

    fn verify_against(
        &self,
        roots: &RootCertStore,
        parsed: &ParsedCertificate<'_>,
        chain: &UnverifiedChain<'_>,
    ) -> Result<(), Error> {
        verify_server_cert_signed_by_trust_anchor(
            parsed,
            roots,
            chain.intermediates,
            chain.now,
            self.algorithms.all,
        )
    }

    fn check_alternative_names(&self, parsed: &ParsedCertificate<'_>) -> Result<(), RefusalReason> {
        let name = self
            .server_name
            .parsed()
            .ok_or(RefusalReason::NameMismatch)?;
        Ok(verify_server_name(parsed, name)?)
    }

    /// Compares the server name with the common name of a certificate that has no subject
    /// alternative name. The certificate must have exactly one common name.
    fn check_common_name(&self, certificate: &CertificateInfo) -> Result<(), RefusalReason> {
        match certificate.common_names.as_slice() {
            [only] if self.server_name.matches_common_name(only) => Ok(()),
            [_] => Err(RefusalReason::NameMismatch),
            _ => Err(RefusalReason::NoName),
        }
    }
}

/// Collects trust roots for rustls. A certificate that rustls cannot use as a trust root is left
/// out, but it can still be pinned.
fn root_store(trusted: &[&TrustedCertificate]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().map(|root| root.der.clone()));
    roots
}
