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
    PresentedChain, TrustBasis,
    certificate::{CertificateInfo, DistinguishedName},
    issuers,
    name::PeerName,
};

/// A server certificate that was refused, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) reason: RefusalReason,
    /// The name that was to be proved.
    pub(crate) server_name: String,
    /// `None` where the certificate can't even be read.
    pub(crate) certificate: Option<Box<CertificateInfo>>,
    /// The subjects of the certificates given with `--cacert`; empty for the system's store.
    pub(crate) trusted_subjects: Vec<DistinguishedName>,
}

/// Why a certificate was refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RefusalReason {
    Unreadable(String),
    Expired {
        now: i64,
    },
    NotYetValid {
        now: i64,
    },
    /// The certificate is for other names.
    NameMismatch,
    /// The common name would match, but a certificate that an authority issued needs a subject
    /// alternative name (RFC 9525 section 2).
    CommonNameOnly,
    /// No common name, or several, and no subject alternative name.
    NoName,
    /// Its key may not be used for this.
    InvalidPurpose,
    /// X.509 v1 on TLS 1.2, whose signature the TLS stack can't verify with such a certificate.
    X509V1OnTls12,
    /// X.509 v1, which serves TLS only when it is pinned.
    X509V1NotPinned,
    /// The server presented a self-signed certificate that is not the one given.
    SelfSignedNotPinned,
    /// A trust anchor has the issuer's name and another key, or the signature is forged.
    BadSignature,
    /// No trust anchor leads to it; the name of the issuer that is missing.
    UnknownIssuer {
        missing: DistinguishedName,
    },
    /// The authority that it leads to is out of its dates.
    IssuerOutsideValidity(Box<CertificateInfo>),
    /// An authority's certificate (CA:TRUE), which serves TLS itself only when it is pinned.
    CaUsedAsEndEntity,
    WeakSignature,
    WeakKey {
        bits: usize,
    },
    /// The same of an authority on the way to it.
    WeakIssuerSignature {
        issuer: DistinguishedName,
    },
    WeakIssuerKey {
        issuer: DistinguishedName,
        bits: usize,
    },
    Other(CertificateError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate for {} was refused", self.server_name)
    }
}

impl std::error::Error for Refusal {}

/// Which certificates prove a server.
#[derive(Debug)]
pub(super) enum TrustRoots {
    /// Those of the operating system.
    System(RootCertStore),
    /// These, and only these.
    Given(Vec<(CertificateDer<'static>, CertificateInfo)>),
    /// Any: nothing is proved but that the server holds the certificate's key.
    Unverified,
}

/// RSA keys shorter than this are refused by the TLS stack itself, with less to say.
pub(super) const SMALLEST_RSA_KEY: usize = 2048;

#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) name: PeerName,
    /// Where what is judged is left for whoever explains it.
    pub(super) presented: Mutex<PresentedChain>,
    pub(super) anchors: TrustRoots,
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
        let certificate = CertificateInfo::from_der(end_entity);
        let verdict = match &certificate {
            _ if matches!(self.anchors, TrustRoots::Unverified) => Ok(TrustBasis::Unverified),
            Ok(inspected) => self.judge(end_entity, inspected, intermediates, now),
            Err(reason) => Err(RefusalReason::Unreadable(reason.clone())),
        };
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self
            .presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = PresentedChain {
            certificates: chain.map(|der| der.clone().into_owned()).collect(),
            trust: verdict.as_ref().ok().copied(),
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
        verified.or_else(|error| match CertificateInfo::from_der(cert) {
            // The TLS stack reads no X.509 v1; the key in it is a key all the same.
            Ok(CertificateInfo {
                is_x509_v1: true,
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
    pub(super) fn presented_chain(&self) -> PresentedChain {
        let presented = self.presented.lock();
        presented.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn given(&self) -> &[(CertificateDer<'static>, CertificateInfo)] {
        match &self.anchors {
            TrustRoots::Given(anchors) => anchors,
            TrustRoots::System(_) | TrustRoots::Unverified => &[],
        }
    }

    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        inspected: &CertificateInfo,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<TrustBasis, RefusalReason> {
        if let Some(bits) = inspected
            .rsa_key_bits
            .filter(|bits| *bits < SMALLEST_RSA_KEY)
        {
            return Err(RefusalReason::WeakKey { bits });
        }
        if self.given().iter().any(|(anchor, _)| anchor == end_entity) {
            self.judge_pinned(end_entity, inspected, now)
                .map(|()| TrustBasis::Pinned)
        } else {
            self.judge_issued(end_entity, inspected, intermediates, now)
                .map(|()| match self.anchors {
                    TrustRoots::System(_) => TrustBasis::System,
                    TrustRoots::Given(_) | TrustRoots::Unverified => TrustBasis::Issued,
                })
        }
    }

    fn judge_pinned(
        &self,
        der: &CertificateDer<'_>,
        inspected: &CertificateInfo,
        now: UnixTime,
    ) -> Result<(), RefusalReason> {
        dates(inspected, now)?;
        if !inspected.allows_tls_server {
            return Err(RefusalReason::InvalidPurpose);
        }
        if inspected.alternative_names.is_some() {
            let parsed = ParsedCertificate::try_from(der).map_err(reason)?;
            return self.judge_alternative_names(&parsed);
        }
        self.judge_common_name(inspected)
    }

    /// The name of a certificate without a subject alternative name: its only common name.
    fn judge_common_name(&self, inspected: &CertificateInfo) -> Result<(), RefusalReason> {
        match inspected.common_names.as_slice() {
            [only] if self.name.is_common_name(only) => Ok(()),
            [_] => Err(RefusalReason::NameMismatch),
            _ => Err(RefusalReason::NoName),
        }
    }

    fn judge_issued(
        &self,
        der: &CertificateDer<'_>,
        inspected: &CertificateInfo,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), RefusalReason> {
        if inspected.has_weak_signature {
            return Err(RefusalReason::WeakSignature);
        }
        let parsed = ParsedCertificate::try_from(der).map_err(|error| match reason(error) {
            // No chain can lead to what it signed itself, readable as X.509 v3 or not.
            _ if inspected.is_self_issued() => self.stranger(inspected),
            _ if inspected.is_x509_v1 => RefusalReason::X509V1NotPinned,
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
            TrustRoots::Unverified => return Ok(()),
            TrustRoots::System(roots) => chain(roots),
            TrustRoots::Given(anchors) => {
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
                        return Err(RefusalReason::IssuerOutsideValidity(Box::new(
                            anchor.clone(),
                        )));
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
                Err(RefusalReason::CommonNameOnly)
            };
        }
        self.judge_alternative_names(&parsed)
    }

    fn judge_alternative_names(&self, parsed: &ParsedCertificate<'_>) -> Result<(), RefusalReason> {
        let name = self.name.parsed().ok_or(RefusalReason::NameMismatch)?;
        verify_server_name(parsed, name).map_err(reason)
    }

    fn refuse(&self, reason: RefusalReason, certificate: Option<CertificateInfo>) -> Error {
        let anchors = self.given().iter();
        CertificateError::Other(OtherError(Arc::new(Refusal {
            reason,
            server_name: self.name.as_str().to_owned(),
            certificate: certificate.map(Box::new),
            trusted_subjects: anchors.map(|(_, anchor)| anchor.subject.clone()).collect(),
        })))
        .into()
    }

    /// A signature that was not verified, which may be the certificate's kind and not its key.
    fn explain_signature(&self, cert: &CertificateDer<'_>, error: Error) -> Error {
        let reason = match CertificateInfo::from_der(cert) {
            Ok(CertificateInfo {
                rsa_key_bits: Some(bits),
                ..
            }) if bits < SMALLEST_RSA_KEY => RefusalReason::WeakKey { bits },
            Ok(CertificateInfo {
                is_x509_v1: true, ..
            }) => RefusalReason::X509V1OnTls12,
            _ => return error,
        };
        self.refuse(reason, CertificateInfo::from_der(cert).ok())
    }

    /// A self-signed certificate that was not given.
    fn stranger(&self, inspected: &CertificateInfo) -> RefusalReason {
        if self.given().is_empty() {
            RefusalReason::UnknownIssuer {
                missing: inspected.issuer.clone(),
            }
        } else {
            RefusalReason::SelfSignedNotPinned
        }
    }

    fn explain(
        &self,
        error: Error,
        inspected: &CertificateInfo,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> RefusalReason {
        match reason(error) {
            RefusalReason::Expired { .. } | RefusalReason::NotYetValid { .. } => {
                // The dates may be an intermediate's.
                match dates(inspected, now) {
                    Err(own) => own,
                    Ok(()) => intermediates
                        .iter()
                        .filter_map(|der| CertificateInfo::from_der(der).ok())
                        .find(|issuer| dates(issuer, now).is_err())
                        .map_or(RefusalReason::Expired { now: seconds(now) }, |issuer| {
                            RefusalReason::IssuerOutsideValidity(Box::new(issuer))
                        }),
                }
            }
            // An anchor of the same name may be there, with another key.
            RefusalReason::CaUsedAsEndEntity
            | RefusalReason::UnknownIssuer { .. }
            | RefusalReason::BadSignature
                if inspected.is_self_issued() =>
            {
                self.stranger(inspected)
            }
            RefusalReason::UnknownIssuer { .. } => RefusalReason::UnknownIssuer {
                missing: issuers::missing(inspected, intermediates),
            },
            other @ (RefusalReason::BadSignature | RefusalReason::Other(_)) => {
                issuers::weak(inspected, intermediates, self.given()).unwrap_or(other)
            }
            other => other,
        }
    }
}

fn roots(anchors: &[&(CertificateDer<'static>, CertificateInfo)]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // One that can't be a trust anchor for others can still be pinned.
    roots.add_parsable_certificates(anchors.iter().map(|(der, _)| der.clone()));
    roots
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Whether the certificate is valid at this time (RFC 5280 section 4.1.2.5).
pub(super) fn dates(certificate: &CertificateInfo, now: UnixTime) -> Result<(), RefusalReason> {
    let now = seconds(now);
    if now < certificate.not_before {
        Err(RefusalReason::NotYetValid { now })
    } else if now > certificate.not_after {
        Err(RefusalReason::Expired { now })
    } else {
        Ok(())
    }
}

/// The TLS stack's verdict in this module's terms.
fn reason(error: Error) -> RefusalReason {
    let error = match error {
        Error::InvalidCertificate(error) => error,
        other => return RefusalReason::Unreadable(other.to_string()),
    };
    match error {
        CertificateError::Expired => RefusalReason::Expired { now: 0 },
        CertificateError::ExpiredContext { time, .. } => {
            RefusalReason::Expired { now: seconds(time) }
        }
        CertificateError::NotValidYet => RefusalReason::NotYetValid { now: 0 },
        CertificateError::NotValidYetContext { time, .. } => {
            RefusalReason::NotYetValid { now: seconds(time) }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            RefusalReason::NameMismatch
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            RefusalReason::InvalidPurpose
        }
        CertificateError::UnknownIssuer => RefusalReason::UnknownIssuer {
            missing: DistinguishedName::default(),
        },
        // A key of another kind than the signature's can't have made it.
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            RefusalReason::BadSignature
        }
        CertificateError::Other(OtherError(error))
            if error.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) =>
        {
            RefusalReason::CaUsedAsEndEntity
        }
        other => RefusalReason::Other(other),
    }
}
