//! [`Refusal`]: the reason why a server certificate is refused, as data. `diagnostics` contains the
//! user-visible text.

use std::fmt;

use rustls::{CertificateError, Error, OtherError, pki_types::UnixTime};

use super::certificate::{CertificateInfo, DistinguishedName};

/// The refusal of a server certificate. rustls passes the refusal on inside a [`rustls::Error`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) reason: RefusalReason,
    /// The name that the certificate had to prove.
    pub(crate) server_name: String,
    /// The parsed certificate, or `None` if the certificate cannot be parsed.
    pub(crate) certificate: Option<Box<CertificateInfo>>,
    /// The subjects of the certificates that are configured as trusted. The list is empty if the
    /// operating system's trust store is used.
    pub(crate) trusted_subjects: Vec<DistinguishedName>,
}

/// The reason why a certificate was refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RefusalReason {
    /// The certificate cannot be parsed, for the reason in the parser's message.
    Unreadable(String),
    /// The certificate is expired at the present time `now`, in Unix seconds.
    Expired {
        now: i64,
    },
    /// The certificate is not yet valid at the present time `now`, in Unix seconds.
    NotYetValid {
        now: i64,
    },
    /// The server name is not among the names of the certificate.
    NameMismatch,
    /// The common name matches, but a certificate that a CA issued also needs a subject alternative
    /// name (RFC 9525 section 2).
    CommonNameOnly,
    /// The certificate has no subject alternative name, and it has no common name or more than one.
    NoName,
    /// Key usage or extended key usage does not allow TLS server authentication.
    InvalidPurpose,
    /// The certificate is an X.509 v1 certificate and the connection uses TLS 1.2. rustls verifies
    /// a TLS 1.2 handshake signature only with a v3 certificate.
    X509V1OnTls12,
    /// The certificate is an X.509 v1 certificate, which is accepted only if it is pinned.
    X509V1NotPinned,
    /// The certificate is self-signed, and it is not configured as trusted.
    SelfSignedNotPinned,
    /// The signature of a certificate was not made with the issuer's key: a trust root has the
    /// issuer's name but a different key, or the signature is forged.
    BadSignature,
    /// No trust root issued the certificate. `missing` is the issuer at the end of the chain.
    UnknownIssuer {
        missing: DistinguishedName,
    },
    /// The certificate of an issuer is expired or not yet valid.
    IssuerOutsideValidity(Box<CertificateInfo>),
    /// The certificate is a CA certificate (`CA:TRUE`), which is accepted only if it is pinned.
    CaUsedAsEndEntity,
    /// The certificate is signed with SHA-1 or MD5.
    WeakSignature,
    /// The RSA key of the certificate is too short.
    WeakKey {
        bits: usize,
    },
    /// The certificate of an issuer is signed with SHA-1 or MD5.
    WeakIssuerSignature {
        issuer: DistinguishedName,
    },
    /// The RSA key of an issuer is too short.
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

impl From<Error> for RefusalReason {
    fn from(error: Error) -> Self {
        let error = match error {
            Error::InvalidCertificate(error) => error,
            other => return Self::Unreadable(other.to_string()),
        };
        match error {
            CertificateError::Expired => Self::Expired { now: 0 },
            CertificateError::ExpiredContext { time, .. } => Self::Expired {
                now: unix_seconds(time),
            },
            CertificateError::NotValidYet => Self::NotYetValid { now: 0 },
            CertificateError::NotValidYetContext { time, .. } => Self::NotYetValid {
                now: unix_seconds(time),
            },
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::NameMismatch
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::InvalidPurpose
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer {
                missing: DistinguishedName::default(),
            },
            // If the key type does not match the signature algorithm, the key cannot have made the
            // signature.
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::BadSignature
            }
            CertificateError::Other(OtherError(error))
                if error.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) =>
            {
                Self::CaUsedAsEndEntity
            }
            other => Self::Other(other),
        }
    }
}

/// Checks that `now` is in the validity period of a certificate (RFC 5280 section 4.1.2.5).
///
/// # Errors
///
/// [`RefusalReason::NotYetValid`] or [`RefusalReason::Expired`].
pub(super) fn check_validity(
    certificate: &CertificateInfo,
    now: UnixTime,
) -> Result<(), RefusalReason> {
    let now = unix_seconds(now);
    if now < certificate.not_before {
        Err(RefusalReason::NotYetValid { now })
    } else if now > certificate.not_after {
        Err(RefusalReason::Expired { now })
    } else {
        Ok(())
    }
}

pub(super) fn unix_seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
