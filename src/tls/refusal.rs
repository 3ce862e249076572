//! [`Refusal`]: the reason why the certificate of a peer is refused.

use std::{fmt, sync::Arc};

use rustls::{CertificateError, OtherError};

use super::{
    certificate::{Certificate, MAX_SHOWN_CHARS, ValidityError, Weakness},
    general_name::quote,
    peer_role::PeerRole,
    protocol_error::words,
    unsuitability::Unsuitability,
};

/// The refusal of the certificate of a peer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{:.*}", MAX_SHOWN_CHARS, reason.to_string())]
pub(crate) struct Refusal {
    pub(crate) reason: RefusalReason,
    /// The parsed certificate, or `None` if the certificate cannot be parsed.
    pub(crate) certificate: Option<Box<Certificate>>,
    /// Why the trust store of the system may lack the CA.
    pub(crate) store_remarks: Vec<String>,
}

/// The reason why a certificate was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum RefusalReason {
    #[error("certificate cannot be parsed: {0}")]
    Unparsable(String),
    #[error("{0} {1}")]
    OutsideValidity(ChainMember, ValidityError),
    #[error("{0} {1}")]
    Weak(ChainMember, Weakness),
    #[error(
        "certificate is not valid for {server_name:?} ({})",
        describe_names(names, unsupported_wildcards)
    )]
    NameMismatch {
        server_name: String,
        names: Vec<String>,
        /// Wildcards that match no name: those directly below a top-level domain, and those that
        /// are not the whole leftmost label.
        unsupported_wildcards: Vec<String>,
        /// A name with which the certificate would be accepted.
        accepted_name: Option<AcceptedName>,
    },
    #[error("certificate has {0:?} as a DNS name in its SAN, but an IP address needs an IP SAN")]
    AddressInDnsName(String),
    /// The common name matches, but a certificate that a CA issued also needs a SAN (RFC 9525
    /// section 2).
    #[error("certificate has the common name {0:?}, but no SAN")]
    CommonNameOnly(String),
    #[error("certificate has no SAN, and either no common name or several")]
    NoCommonName,
    /// The names are of other kinds, such as `URI:spiffe://test/server`.
    #[error("certificate SAN has no DNS name or IP address, only {}", quote(.0))]
    NoNameInSan(Vec<String>),
    #[error("{0} {1}")]
    Unsuitable(ChainMember, Unsuitability),
    /// The constraints of a CA in the trust store of the system are not known.
    #[error("certificate name violates the name constraints of a trusted CA")]
    NameConstraint,
    #[error("certificate key usage does not allow TLS {0} authentication ({1})")]
    InvalidPurpose(PeerRole, String),
    /// rustls verifies a TLS 1.2 handshake signature only with a v3 certificate.
    #[error("certificate is X.509 version 1, which cannot be verified over TLS 1.2")]
    X509V1OnTls12,
    #[error("certificate is X.509 version 1, which is accepted only if it is pinned")]
    X509V1NotPinned,
    #[error("certificate is a CA certificate (CA:TRUE), which is accepted only if it is pinned")]
    CaUsedAsEndEntity,
    #[error("certificate is self-signed and not in the trust store")]
    SelfSigned,
    #[error("certificate is self-signed and not the pinned certificate")]
    SelfSignedNotPinned,
    #[error("certificate names the trusted CA {0:?} as issuer, but is signed with another key")]
    NotSignedByNamesake(String),
    /// No trusted CA certificate issued the chain, which ends with a certificate of this issuer.
    #[error("CA certificate {0:?} is missing")]
    UnknownIssuer(String),
    #[error("certificate chain is invalid: {}", words(.0))]
    Invalid(webpki::Error),
}

/// The options with which a certificate would be accepted.
#[derive(Clone, Debug)]
pub(crate) struct AcceptedName {
    /// May begin with `*`, which stands for any label.
    pub(crate) server_name: String,
    /// Whether the name is a common name, which is accepted only with `--allow-common-name`.
    pub(crate) needs_common_name: bool,
}

/// The certificate of a chain to which a reason applies.
#[derive(Clone, Debug)]
pub(crate) enum ChainMember {
    EndEntity,
    /// The CA certificate with this subject.
    Issuer(String),
}

impl fmt::Display for ChainMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndEntity => f.write_str("certificate"),
            Self::Issuer(subject) => write!(f, "CA certificate {subject:?}"),
        }
    }
}

impl Refusal {
    /// Returns the refusal that was turned into an error of rustls.
    pub(super) fn from_error(error: &CertificateError) -> Option<&Self> {
        match error {
            CertificateError::Other(other) => other.0.downcast_ref(),
            _ => None,
        }
    }
}

impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

fn describe_names(names: &[String], unsupported_wildcards: &[String]) -> String {
    let lists = [
        ("valid for ", names),
        ("unsupported wildcard: ", unsupported_wildcards),
    ];
    let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
    let lists: Vec<_> = lists
        .map(|(label, names)| format!("{label}{}", quote(names)))
        .collect();
    lists.join("; ")
}
