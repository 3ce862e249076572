//! Whether a server is who it should be.
//!
//! A certificate that was itself given as the trust anchor is *pinned*: no chain can say more of
//! it, so its dates, its name and its key decide. Any other certificate takes the usual path
//! (RFC 5280, RFC 9525) with nothing loosened. The handshake's signature is verified always.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::ParsedCertificate,
};

use super::{
    Presented, Proof,
    certificate::{Inspected, Name, inspect},
    issuers,
    name::PeerName,
};

/// A server certificate that was refused, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// The name that was to be proved.
    pub(crate) name: String,
    /// `None` where the certificate can't even be read.
    pub(crate) certificate: Option<Box<Inspected>>,
    /// The subjects of the certificates given with `--cacert`; empty for the system's store.
    pub(crate) anchors: Vec<Name>,
}

/// Why a certificate was refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reason {
    Unreadable(String),
    Expired {
        now: i64,
    },
    NotYetValid {
        now: i64,
    },
    /// The certificate is for other names.
    WrongName,
    /// The common name would match, but a certificate that an authority issued needs a subject
    /// alternative name (RFC 9525 section 2).
    CommonNameOnly,
    /// No common name, or several, and no subject alternative name.
    NoName,
    /// Its key may not be used for this.
    Purpose,
    /// X.509 v1 on TLS 1.2, whose signature the TLS stack can't verify with such a certificate.
    Version1,
    /// X.509 v1, which serves TLS only when it is pinned.
    Version1Issued,
    /// The server presented a self-signed certificate that is not the one given.
    NotTheGivenOne,
    /// A trust anchor has the issuer's name and another key, or the signature is forged.
    BadSignature,
    /// No trust anchor leads to it; the name of the issuer that is missing.
    UnknownIssuer {
        missing: Name,
    },
    /// The authority that it leads to is out of its dates.
    AnchorDates(Box<Inspected>),
    /// An authority's certificate (CA:TRUE), which serves TLS itself only when it is pinned.
    AuthorityAsServer,
    WeakSignature,
    WeakKey {
        bits: usize,
    },
    /// The same of an authority on the way to it.
    WeakIssuerSignature {
        issuer: Name,
    },
    WeakIssuerKey {
        issuer: Name,
        bits: usize,
    },
    Other(CertificateError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate for {} was refused", self.name)
    }
}

impl std::error::Error for Refusal {}

/// Which certificates prove a server.
#[derive(Debug)]
pub(super) enum Anchors {
    /// Those of the operating system.
    System(RootCertStore),
    /// These, and only these.
    Given(Vec<(CertificateDer<'static>, Inspected)>),
    /// Any: nothing is proved but that the server holds the certificate's key.
    Unverified,
}

/// RSA keys shorter than this are refused by the TLS stack itself, with less to say.
pub(super) const SMALLEST_RSA_KEY: usize = 2048;

#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) name: PeerName,
    /// Where what is judged is left for whoever explains it.
    pub(super) presented: Mutex<Presented>,
    pub(super) anchors: Anchors,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = inspect(end_entity);
        let verdict = match &certificate {
            _ if matches!(self.anchors, Anchors::Unverified) => Ok(Proof::Unverified),
            Ok(inspected) => self.judge(end_entity, inspected, intermediates, now),
            Err(reason) => Err(Reason::Unreadable(reason.clone())),
        };
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self
            .presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Presented {
            chain: chain.map(|der| der.clone().into_owned()).collect(),
            proof: verdict.as_ref().ok().copied(),
        };
        verdict
            .map(|_| ServerCertVerified::assertion())
            .map_err(|reason| self.refuse(reason, certificate.ok()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
            .map_err(|error| self.explain_signature(cert, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = verify_tls13_signature(message, cert, dss, &self.algorithms);
        verified.or_else(|error| match inspect(cert) {
            // The TLS stack reads no X.509 v1; the key in it is a key all the same.
            Ok(Inspected {
                version_1: true,
                public_key,
                ..
            }) => verify_tls13_signature_with_raw_key(
                message,
                &SubjectPublicKeyInfoDer::from(public_key),
                dss,
                &self.algorithms,
            ),
            _ => Err(self.explain_signature(cert, error)),
        })
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Verifier {
    /// What was judged last.
    pub(super) fn presented(&self) -> Presented {
        let presented = self.presented.lock();
        presented.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn given(&self) -> &[(CertificateDer<'static>, Inspected)] {
        match &self.anchors {
            Anchors::Given(anchors) => anchors,
            Anchors::System(_) | Anchors::Unverified => &[],
        }
    }

    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        inspected: &Inspected,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Proof, Reason> {
        if let Some(bits) = inspected.rsa_bits.filter(|bits| *bits < SMALLEST_RSA_KEY) {
            return Err(Reason::WeakKey { bits });
        }
        if self.given().iter().any(|(anchor, _)| anchor == end_entity) {
            self.judge_pinned(end_entity, inspected, now)
                .map(|()| Proof::Pinned)
        } else {
            self.judge_issued(end_entity, inspected, intermediates, now)
                .map(|()| match self.anchors {
                    Anchors::System(_) => Proof::System,
                    Anchors::Given(_) | Anchors::Unverified => Proof::Issued,
                })
        }
    }

    fn judge_pinned(
        &self,
        der: &CertificateDer<'_>,
        inspected: &Inspected,
        now: UnixTime,
    ) -> Result<(), Reason> {
        dates(inspected, now)?;
        if !inspected.serves_tls {
            return Err(Reason::Purpose);
        }
        if inspected.alternative_names.is_some() {
            let parsed = ParsedCertificate::try_from(der).map_err(reason)?;
            return self.judge_alternative_names(&parsed);
        }
        self.judge_common_name(inspected)
    }

    /// The name of a certificate without a subject alternative name: its only common name.
    fn judge_common_name(&self, inspected: &Inspected) -> Result<(), Reason> {
        match inspected.common_names.as_slice() {
            [only] if self.name.is_common_name(only) => Ok(()),
            [_] => Err(Reason::WrongName),
            _ => Err(Reason::NoName),
        }
    }

    fn judge_issued(
        &self,
        der: &CertificateDer<'_>,
        inspected: &Inspected,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Reason> {
        if inspected.weak_signature {
            return Err(Reason::WeakSignature);
        }
        let parsed = ParsedCertificate::try_from(der).map_err(|error| match reason(error) {
            // No chain can lead to what it signed itself, readable as X.509 v3 or not.
            _ if inspected.is_self_issued() => self.stranger(inspected),
            _ if inspected.version_1 => Reason::Version1Issued,
            other => other,
        })?;
        let chain = |roots: &RootCertStore| {
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                roots,
                intermediates,
                now,
                self.algorithms.all,
            )
        };
        let verdict = match &self.anchors {
            Anchors::Unverified => return Ok(()),
            Anchors::System(roots) => chain(roots),
            Anchors::Given(anchors) => {
                // The TLS stack does not look at a trust anchor's own dates.
                let (current, outdated): (Vec<_>, Vec<_>) = anchors
                    .iter()
                    .partition(|(_, anchor)| dates(anchor, now).is_ok());
                let verdict = chain(&roots(&current));
                if verdict.is_err() {
                    let led_to = outdated
                        .iter()
                        .find(|anchor| chain(&roots(&[**anchor])).is_ok());
                    if let Some((_, anchor)) = led_to {
                        return Err(Reason::AnchorDates(Box::new(anchor.clone())));
                    }
                }
                verdict
            }
        };
        verdict.map_err(|error| self.explain(error, inspected, intermediates, now))?;
        if inspected.alternative_names.is_none() {
            self.judge_common_name(inspected)?;
            return if self.name.allows_common_name() {
                Ok(())
            } else {
                Err(Reason::CommonNameOnly)
            };
        }
        self.judge_alternative_names(&parsed)
    }

    fn judge_alternative_names(&self, parsed: &ParsedCertificate<'_>) -> Result<(), Reason> {
        let name = self.name.parsed().ok_or(Reason::WrongName)?;
        verify_server_name(parsed, name).map_err(reason)
    }

    fn refuse(&self, reason: Reason, certificate: Option<Inspected>) -> Error {
        let anchors = self.given().iter();
        CertificateError::Other(OtherError(Arc::new(Refusal {
            reason,
            name: self.name.as_str().to_owned(),
            certificate: certificate.map(Box::new),
            anchors: anchors.map(|(_, anchor)| anchor.subject.clone()).collect(),
        })))
        .into()
    }

    /// A signature that was not verified, which may be the certificate's kind and not its key.
    fn explain_signature(&self, cert: &CertificateDer<'_>, error: Error) -> Error {
        let reason = match inspect(cert) {
            Ok(Inspected {
                rsa_bits: Some(bits),
                ..
            }) if bits < SMALLEST_RSA_KEY => Reason::WeakKey { bits },
            Ok(Inspected {
                version_1: true, ..
            }) => Reason::Version1,
            _ => return error,
        };
        self.refuse(reason, inspect(cert).ok())
    }

    /// A self-signed certificate that was not given.
    fn stranger(&self, inspected: &Inspected) -> Reason {
        if self.given().is_empty() {
            Reason::UnknownIssuer {
                missing: inspected.issuer.clone(),
            }
        } else {
            Reason::NotTheGivenOne
        }
    }

    fn explain(
        &self,
        error: Error,
        inspected: &Inspected,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Reason {
        match reason(error) {
            Reason::Expired { .. } | Reason::NotYetValid { .. } => {
                // The dates may be an intermediate's.
                match dates(inspected, now) {
                    Err(own) => own,
                    Ok(()) => intermediates
                        .iter()
                        .filter_map(|der| inspect(der).ok())
                        .find(|issuer| dates(issuer, now).is_err())
                        .map_or(Reason::Expired { now: seconds(now) }, |issuer| {
                            Reason::AnchorDates(Box::new(issuer))
                        }),
                }
            }
            // An anchor of the same name may be there, with another key.
            Reason::AuthorityAsServer | Reason::UnknownIssuer { .. } | Reason::BadSignature
                if inspected.is_self_issued() =>
            {
                self.stranger(inspected)
            }
            Reason::UnknownIssuer { .. } => Reason::UnknownIssuer {
                missing: issuers::missing(inspected, intermediates),
            },
            other @ (Reason::BadSignature | Reason::Other(_)) => {
                issuers::weak(inspected, intermediates, self.given()).unwrap_or(other)
            }
            other => other,
        }
    }
}

fn roots(anchors: &[&(CertificateDer<'static>, Inspected)]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // One that can't be a trust anchor for others can still be pinned.
    roots.add_parsable_certificates(anchors.iter().map(|(der, _)| der.clone()));
    roots
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Whether the certificate is valid at this time (RFC 5280 section 4.1.2.5).
pub(super) fn dates(certificate: &Inspected, now: UnixTime) -> Result<(), Reason> {
    let now = seconds(now);
    if now < certificate.not_before {
        Err(Reason::NotYetValid { now })
    } else if now > certificate.not_after {
        Err(Reason::Expired { now })
    } else {
        Ok(())
    }
}

/// The TLS stack's verdict in this module's terms.
fn reason(error: Error) -> Reason {
    let error = match error {
        Error::InvalidCertificate(error) => error,
        other => return Reason::Unreadable(other.to_string()),
    };
    match error {
        CertificateError::Expired => Reason::Expired { now: 0 },
        CertificateError::ExpiredContext { time, .. } => Reason::Expired { now: seconds(time) },
        CertificateError::NotValidYet => Reason::NotYetValid { now: 0 },
        CertificateError::NotValidYetContext { time, .. } => {
            Reason::NotYetValid { now: seconds(time) }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Reason::WrongName
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Reason::Purpose
        }
        CertificateError::UnknownIssuer => Reason::UnknownIssuer {
            missing: Name::default(),
        },
        // A key of another kind than the signature's can't have made it.
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            Reason::BadSignature
        }
        CertificateError::Other(OtherError(error))
            if error.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) =>
        {
            Reason::AuthorityAsServer
        }
        other => Reason::Other(other),
    }
}
