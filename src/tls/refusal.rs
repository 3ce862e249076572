//! The reasons why a server certificate is refused, as data; `diagnostics` words them.

use std::fmt;

use rustls::{CertificateError, Error, OtherError, pki_types::UnixTime};

use super::certificate::{CertificateInfo, DistinguishedName};

/// A server certificate that was refused. It travels inside a [`rustls::Error`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) reason: RefusalReason,
    /// The name that the certificate had to prove.
    pub(crate) server_name: String,
    /// `None` if the certificate cannot be parsed.
    pub(crate) certificate: Option<Box<CertificateInfo>>,
    /// The subjects of the certificates that are configured as trusted; empty for the operating
    /// system's trust store.
    pub(crate) trusted_subjects: Vec<DistinguishedName>,
}

/// The reason why a certificate was refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RefusalReason {
    /// The certificate cannot be parsed; the parser's message.
    Unreadable(String),
    /// `now` is in Unix seconds.
    Expired {
        now: i64,
    },
    /// `now` is in Unix seconds.
    NotYetValid {
        now: i64,
    },
    /// The names of the certificate do not include the server name.
    NameMismatch,
    /// The common name matches, but a certificate that a CA issued needs a subject alternative
    /// name (RFC 9525 section 2).
    CommonNameOnly,
    /// The certificate has no subject alternative name, and either no common name or several.
    NoName,
    /// Key usage or extended key usage does not allow TLS server authentication.
    InvalidPurpose,
    /// An X.509 v1 certificate over TLS 1.2, whose handshake signature rustls verifies only with a
    /// v3 certificate.
    X509V1OnTls12,
    /// An X.509 v1 certificate, which is accepted only if it is pinned.
    X509V1NotPinned,
    /// A self-signed certificate that is not among the certificates configured as trusted.
    SelfSignedNotPinned,
    /// A trust root has the issuer's name but another key, or the signature is forged.
    BadSignature,
    /// No trust root issued the certificate; `missing` is the issuer that the chain lacks.
    UnknownIssuer {
        missing: DistinguishedName,
    },
    /// An issuer of the certificate is expired or not yet valid.
    IssuerOutsideValidity(Box<CertificateInfo>),
    /// A CA certificate (CA:TRUE), which serves TLS only if it is pinned.
    CaUsedAsEndEntity,
    /// A signature over SHA-1 or MD5.
    WeakSignature,
    /// An RSA key that is too short.
    WeakKey {
        bits: usize,
    },
    /// An issuer of the certificate has a signature over SHA-1 or MD5.
    WeakIssuerSignature {
        issuer: DistinguishedName,
    },
    /// An issuer of the certificate has an RSA key that is too short.
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
            // A key of another type than the signature's cannot have made the signature.
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

/// Checks that the validity period of a certificate (RFC 5280 section 4.1.2.5) contains `now`.
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
