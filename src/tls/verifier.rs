//! [`ServerVerifier`]: decides during a handshake whether a server certificate is trusted.
//!
//! A certificate that is itself configured as trusted is *pinned*. A pinned certificate needs no
//! chain, so only its key length, validity period, key usage and names are checked. Any other
//! certificate must have a chain to a *trust root*, which is a certificate that is trusted as an
//! issuer (RFC 5280). The certificate must also contain the server's name (RFC 9525). The handshake
//! signature is verified even if certificates are not.

use std::sync::{Mutex, PoisonError};

use rustls::{
    DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use webpki::EndEntityCert;

use super::{
    certificate::Certificate,
    chain::UnverifiedChain,
    path::check_path,
    peer_name::PeerName,
    peer_role::PeerRole,
    refusal::{AcceptedName, ChainMember, Refusal, RefusalReason},
    signature::{verify_tls12, verify_tls13},
    trust::{TrustBasis, TrustPolicy},
};

/// The certificates that a server presented, whether or not they are trusted: the certificate of
/// the server, then the intermediates.
#[derive(Clone, Debug, Default)]
pub(crate) struct PresentedChain {
    pub(crate) certificates: Vec<Certificate>,
    /// `None` if the server certificate was refused.
    pub(crate) trust: Option<TrustBasis>,
}

#[derive(Debug)]
pub(super) struct ServerVerifier {
    pub(super) server_name: PeerName,
    pub(super) policy: TrustPolicy,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) presented: Mutex<PresentedChain>,
}

impl ServerVerifier {
    fn check_chain(&self, chain: &UnverifiedChain<'_>) -> Result<TrustBasis, RefusalReason> {
        let server = chain.end_entity;
        if let Some(weakness) = server.weak_key {
            return Err(RefusalReason::Weak(ChainMember::EndEntity, weakness));
        }
        let mut trusted = self.policy.certificates().iter();
        let basis = if trusted.any(|certificate| certificate.der == server.der) {
            check_pinned(chain)?;
            TrustBasis::Pinned
        } else {
            self.check_issuers(chain)?
        };
        self.check_name(server, basis)?;
        Ok(basis)
    }

    fn check_issuers(&self, chain: &UnverifiedChain<'_>) -> Result<TrustBasis, RefusalReason> {
        if let Some(weakness) = chain.end_entity.weak_signature {
            return Err(RefusalReason::Weak(ChainMember::EndEntity, weakness));
        }
        let trusted = self.policy.certificates();
        let explain = |error| chain.explain(error, trusted);
        let parsed = EndEntityCert::try_from(&chain.end_entity.der).map_err(explain)?;
        let common_names = match &chain.end_entity.alternative_names {
            None => &*chain.end_entity.common_names,
            Some(_) => &[],
        };
        let verify = |roots: &RootCertStore| {
            parsed
                .verify_for_usage(
                    self.algorithms.all,
                    &roots.roots,
                    chain.intermediates,
                    chain.now,
                    PeerRole::Server.key_usage(),
                    None,
                    Some(&|path| check_path(path, common_names)),
                )
                .map(|_| ())
        };
        if let TrustPolicy::System(store) = &self.policy {
            return verify(&store.roots)
                .map(|()| TrustBasis::System)
                .map_err(explain);
        }
        // webpki ignores the validity period of a trust root, so the chain is verified with only
        // the roots that are valid at the present time.
        let (valid, invalid): (Vec<_>, Vec<_>) = trusted
            .iter()
            .partition(|root| root.check_validity(chain.now).is_ok());
        let Err(error) = verify(&root_store(&valid)) else {
            return Ok(TrustBasis::Issued);
        };
        for root in invalid {
            if let Err(validity) = root.check_validity(chain.now)
                && verify(&root_store(&[root])).is_ok()
            {
                let root = ChainMember::Issuer(root.subject());
                return Err(RefusalReason::OutsideValidity(root, validity));
            }
        }
        Err(explain(error))
    }

    /// If the certificate has a SAN, its common name does not matter.
    fn check_name(&self, server: &Certificate, basis: TrustBasis) -> Result<(), RefusalReason> {
        let names = server.names();
        let has_san = server.alternative_names.is_some();
        match names {
            [] if has_san => return Err(RefusalReason::NoNameInSan(server.other_names())),
            [] | [_, _, ..] if !has_san => return Err(RefusalReason::NoCommonName),
            _ => {}
        }
        let is_accepted = |name: &PeerName| {
            if has_san {
                is_in_san(name, server)
            } else {
                name.matches_common_name(&names[0])
            }
        };
        let needs_common_name =
            !has_san && basis != TrustBasis::Pinned && !self.server_name.allows_common_name;
        if is_accepted(&self.server_name) {
            return if needs_common_name {
                Err(RefusalReason::CommonNameOnly(names[0].clone()))
            } else {
                Ok(())
            };
        }
        let server_name = self.server_name.text.clone();
        if self.server_name.is_address() && names.contains(&server_name) {
            return Err(RefusalReason::AddressInDnsName(server_name));
        }
        let is_usable = |name: &&String| {
            (!name.contains('*') || is_supported_wildcard(name))
                && is_accepted(&PeerName::new(&name.replacen('*', "a", 1)))
        };
        let (unsupported_wildcards, names): (Vec<_>, Vec<_>) = names
            .iter()
            .cloned()
            .partition(|name| name.contains('*') && !is_usable(&name));
        let usable = names.iter().filter(is_usable);
        let accepted_name = usable
            .min_by_key(|name| name.contains('*'))
            .map(|name| AcceptedName {
                server_name: name.clone(),
                needs_common_name,
            });
        Err(RefusalReason::NameMismatch {
            server_name,
            names,
            unsupported_wildcards,
            accepted_name,
        })
    }
}

fn check_pinned(chain: &UnverifiedChain<'_>) -> Result<(), RefusalReason> {
    chain
        .end_entity
        .check_validity(chain.now)
        .map_err(|error| RefusalReason::OutsideValidity(ChainMember::EndEntity, error))?;
    if let Some(usage) = chain.end_entity.forbidden_usage(chain.role, true) {
        return Err(RefusalReason::InvalidPurpose(chain.role, usage));
    }
    match EndEntityCert::try_from(&chain.end_entity.der) {
        Err(error) if !chain.end_entity.is_x509_v1 => Err(chain.explain_unparsable(error)),
        _ => Ok(()),
    }
}

fn is_in_san(name: &PeerName, server: &Certificate) -> bool {
    let Some(parsed) = &name.parsed else {
        return false;
    };
    // webpki ignores names in the SAN that end with a dot.
    let mut absolute = server
        .names()
        .iter()
        .filter_map(|san| san.strip_suffix('.'));
    EndEntityCert::try_from(&server.der)
        .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(parsed).is_ok())
        || !name.is_address() && absolute.any(|presented| name.matches_common_name(presented))
}

/// Returns whether a wildcard is the whole leftmost label, and not directly below a top-level domain.
fn is_supported_wildcard(name: &str) -> bool {
    let parent = name.strip_suffix('.').unwrap_or(name).strip_prefix("*.");
    parent.is_some_and(|parent| parent.contains('.') && !parent.contains('*'))
}

/// A certificate that webpki cannot use as a trust root is left out, but it can still be pinned.
fn root_store(trusted: &[&Certificate]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().map(|root| root.der.clone()));
    roots
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let server = Certificate::parse(end_entity);
        let parsed = intermediates.iter().map(Certificate::parse);
        let issuers: Vec<_> = parsed.filter_map(Result::ok).collect();
        let trust = match (&self.policy, &server) {
            (TrustPolicy::Unverified, _) => Ok(TrustBasis::Unverified),
            (_, Err(reason)) => Err(RefusalReason::Unparsable(reason.clone())),
            (_, Ok(server)) => self.check_chain(&UnverifiedChain {
                role: PeerRole::Server,
                end_entity: server,
                issuers: &issuers,
                intermediates,
                now,
            }),
        };
        let server = server.ok();
        *self
            .presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = PresentedChain {
            certificates: server.iter().cloned().chain(issuers).collect(),
            trust: trust.as_ref().ok().copied(),
        };
        trust.map_err(|reason| Refusal {
            store_remarks: self.policy.remarks_on(&reason),
            reason,
            certificate: server.map(Box::new),
        })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
