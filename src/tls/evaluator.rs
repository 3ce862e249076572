//! [`TrustEvaluator`]: decides whether a server certificate is trusted.
//!
//! A certificate that is itself configured as trusted is *pinned*. A pinned certificate needs no
//! chain, so only its key length, validity period, key usage and names are checked. Any other
//! certificate must have a chain to a *trust root*, which is a certificate that is trusted as an
//! issuer (RFC 5280). The certificate must also contain the server's name (RFC 9525).

use rustls::{
    RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime},
};
use webpki::{EndEntityCert, KeyUsage};

use super::{
    certificate::{Certificate, CertificateInfo},
    chain::UnverifiedChain,
    peer_name::PeerName,
    refusal::{AcceptedName, ChainMember, Refusal, RefusalReason},
    trust::{TrustBasis, TrustPolicy},
};

/// The rules that a server certificate must satisfy.
#[derive(Debug)]
pub(super) struct TrustEvaluator {
    pub(super) server_name: PeerName,
    pub(super) policy: TrustPolicy,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl TrustEvaluator {
    /// Returns the reason why a server certificate is trusted or refused.
    pub(super) fn evaluate(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<TrustBasis, Refusal> {
        if let TrustPolicy::Unverified = self.policy {
            return Ok(TrustBasis::Unverified);
        }
        let info = CertificateInfo::from_der(end_entity).map_err(|reason| Refusal {
            reason: RefusalReason::Unparsable(reason),
            certificate: None,
        })?;
        let chain = UnverifiedChain {
            end_entity,
            info: &info,
            intermediates,
            now,
        };
        self.check_chain(&chain).map_err(|reason| Refusal {
            reason,
            certificate: Some(Box::new(info)),
        })
    }

    fn check_chain(&self, chain: &UnverifiedChain<'_>) -> Result<TrustBasis, RefusalReason> {
        if let Some(weakness) = chain.info.weak_key {
            return Err(RefusalReason::Weak(ChainMember::Server, weakness));
        }
        let mut trusted = self.policy.certificates().iter();
        let basis = if trusted.any(|certificate| certificate.der == *chain.end_entity) {
            check_pinned(chain)?;
            TrustBasis::Pinned
        } else {
            self.check_issuers(chain)?
        };
        self.check_name(chain, basis)?;
        Ok(basis)
    }

    /// Checks that the chain ends in a trust root.
    fn check_issuers(&self, chain: &UnverifiedChain<'_>) -> Result<TrustBasis, RefusalReason> {
        if let Some(weakness) = chain.info.weak_signature {
            return Err(RefusalReason::Weak(ChainMember::Server, weakness));
        }
        let explain = |error| chain.explain(error, self.policy.certificates());
        let parsed = EndEntityCert::try_from(chain.end_entity).map_err(explain)?;
        let verify = |roots: &RootCertStore| {
            parsed
                .verify_for_usage(
                    self.algorithms.all,
                    &roots.roots,
                    chain.intermediates,
                    chain.now,
                    KeyUsage::server_auth(),
                    None,
                    None,
                )
                .map(|_| ())
        };
        if let TrustPolicy::System(roots) = &self.policy {
            return verify(roots).map(|()| TrustBasis::System).map_err(explain);
        }
        // webpki ignores the validity period of a trust root, so the chain is verified with only
        // the roots that are valid at the present time.
        let trusted = self.policy.certificates().iter();
        let (valid, invalid): (Vec<_>, Vec<_>) =
            trusted.partition(|root| root.info.check_validity(chain.now).is_ok());
        let Err(error) = verify(&root_store(&valid)) else {
            return Ok(TrustBasis::Issued);
        };
        for root in invalid {
            if let Err(validity) = root.info.check_validity(chain.now)
                && verify(&root_store(&[root])).is_ok()
            {
                let root = ChainMember::Issuer(root.info.subject.clone());
                return Err(RefusalReason::OutsideValidity(root, validity));
            }
        }
        Err(explain(error))
    }

    /// Checks that the certificate is valid for the server's name. If the certificate has a SAN,
    /// its common name does not matter.
    fn check_name(
        &self,
        chain: &UnverifiedChain<'_>,
        basis: TrustBasis,
    ) -> Result<(), RefusalReason> {
        let names = chain.info.names();
        let has_san = chain.info.alternative_names.is_some();
        match names {
            [] if has_san => return Err(RefusalReason::NoNameInSan),
            [] | [_, _, ..] if !has_san => return Err(RefusalReason::NoCommonName),
            _ => {}
        }
        let with_san = has_san
            .then(|| EndEntityCert::try_from(chain.end_entity))
            .transpose()
            .map_err(RefusalReason::Invalid)?;
        let is_accepted = |name: &PeerName| match &with_san {
            Some(certificate) => is_in_san(name, certificate, names),
            None => name.matches_common_name(&names[0]),
        };
        let needs_common_name =
            !has_san && basis != TrustBasis::Pinned && !self.server_name.allows_common_name;
        let server_name = self.server_name.text.clone();
        if is_accepted(&self.server_name) {
            return if needs_common_name {
                Err(RefusalReason::CommonNameOnly(names[0].clone()))
            } else {
                Ok(())
            };
        }
        if self.server_name.is_address() && names.contains(&server_name) {
            return Err(RefusalReason::AddressInDnsName(server_name));
        }
        let accepted_name = names
            .iter()
            .find(|name| !name.contains('*') && is_accepted(&PeerName::new(name)))
            .map(|name| AcceptedName {
                server_name: name.clone(),
                needs_common_name,
            });
        Err(RefusalReason::NameMismatch {
            server_name,
            names: names.to_vec(),
            accepted_name,
        })
    }
}

fn check_pinned(chain: &UnverifiedChain<'_>) -> Result<(), RefusalReason> {
    chain
        .info
        .check_validity(chain.now)
        .map_err(|error| RefusalReason::OutsideValidity(ChainMember::Server, error))?;
    match &chain.info.forbidden_usage {
        Some(usage) => Err(RefusalReason::InvalidPurpose(usage.clone())),
        None => Ok(()),
    }
}

fn is_in_san(name: &PeerName, certificate: &EndEntityCert<'_>, san: &[String]) -> bool {
    let Some(parsed) = &name.parsed else {
        return false;
    };
    // webpki ignores names in the SAN that end with a dot.
    let mut absolute = san.iter().filter_map(|name| name.strip_suffix('.'));
    certificate.verify_is_valid_for_subject_name(parsed).is_ok()
        || !name.is_address() && absolute.any(|presented| name.matches_common_name(presented))
}

/// Collects trust roots for webpki. A certificate that webpki cannot use as a trust root is left
/// out, but it can still be pinned.
fn root_store(trusted: &[&Certificate]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().map(|root| root.der.clone()));
    roots
}
