//! [`CertificateAnswer`]: the answer of this program to a server that requests a client certificate,
//! and the reasons for which the server may have refused the answer.

use std::fmt;

use rustls::pki_types::UnixTime;
use x509_parser::{prelude::FromDer, x509::X509Name};

use super::{
    certificate::{Certificate, MAX_SHOWN_CHARS, ValidityError, Weakness},
    general_name::quote,
    peer_role::PeerRole,
    protocol_error::TlsProtocolError,
};

/// The answer to a certificate request. `subject` is the subject of the configured certificate.
#[derive(Clone, Debug)]
pub(crate) enum CertificateAnswer {
    /// No client certificate is configured.
    Empty,
    /// TLS sent no certificate, because the server accepts no signature that the key can make.
    KeyNotSupported { subject: String },
    Sent {
        subject: String,
        flaws: Vec<ClientCertificateFlaw>,
    },
}

/// A property of a client certificate for which a server may refuse the certificate.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ClientCertificateFlaw {
    #[error("client certificate {0}")]
    OutsideValidity(ValidityError),
    #[error("client certificate is X.509 version 1, which many servers refuse")]
    Version1,
    #[error("client certificate {0}")]
    Weak(Weakness),
    #[error("CA certificate {subject:?} of the client certificate {error}")]
    IssuerOutsideValidity {
        subject: String,
        error: ValidityError,
    },
    #[error("client certificate key usage does not allow TLS client authentication ({0})")]
    InvalidPurpose(String),
    #[error("{:.*}", MAX_SHOWN_CHARS, describe_unnamed_issuer(issuer, named))]
    UnnamedIssuer { issuer: String, named: Vec<String> },
}

/// A server that ended the connection after it had requested a client certificate.
#[derive(Clone, Debug)]
pub(crate) struct ClientRefusal {
    pub(crate) answer: CertificateAnswer,
    /// `None` if the server only closed the connection, or if the alert was lost.
    pub(crate) alert: Option<TlsProtocolError>,
}

impl fmt::Display for ClientRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.answer, &self.alert) {
            (CertificateAnswer::Empty, None) => {
                f.write_str("server requested a client certificate and closed the connection")
            }
            (CertificateAnswer::Empty, Some(alert)) => {
                write!(f, "server requires a client certificate: {alert}")
            }
            (CertificateAnswer::KeyNotSupported { subject }, _) => write!(
                f,
                "client certificate {subject:?} was not sent: server does not support its kind of key"
            ),
            (CertificateAnswer::Sent { subject, .. }, None) => write!(
                f,
                "server closed the connection after the client certificate {subject:?} was sent"
            ),
            (CertificateAnswer::Sent { subject, .. }, Some(alert)) => write!(
                f,
                "server refused the client certificate {subject:?} that was sent: {alert}"
            ),
        }
    }
}

/// Returns the flaws of a client certificate, which is the first one of `chain`. `authorities` are
/// the names in DER of the CAs that the server named in its certificate request.
pub(super) fn find_flaws(
    chain: &[Certificate],
    authorities: &[Vec<u8>],
    now: UnixTime,
) -> Vec<ClientCertificateFlaw> {
    let Some(certificate) = chain.first() else {
        return Vec::new();
    };
    let validity = certificate.check_validity(now).err();
    let usage = certificate.forbidden_usage(PeerRole::Client, false);
    // The signature of a self-signed certificate proves nothing.
    let weakness = certificate.weak_signature;
    let weakness = weakness.filter(|_| !certificate.is_self_issued());
    [
        validity.map(ClientCertificateFlaw::OutsideValidity),
        certificate
            .is_x509_v1
            .then_some(ClientCertificateFlaw::Version1),
        weakness.map(ClientCertificateFlaw::Weak),
        usage.map(ClientCertificateFlaw::InvalidPurpose),
        issuer_outside_validity(chain, now),
        unnamed_issuer(chain, authorities),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn issuer_outside_validity(chain: &[Certificate], now: UnixTime) -> Option<ClientCertificateFlaw> {
    chain.iter().skip(1).find_map(|issuer| {
        let error = issuer.check_validity(now).err()?;
        let subject = issuer.subject();
        Some(ClientCertificateFlaw::IssuerOutsideValidity { subject, error })
    })
}

/// A server that names no authorities accepts certificates of any CA that it trusts (RFC 8446
/// section 4.2.4).
fn unnamed_issuer(chain: &[Certificate], authorities: &[Vec<u8>]) -> Option<ClientCertificateFlaw> {
    let named: Vec<_> = authorities
        .iter()
        .filter_map(|name| Some(X509Name::from_der(name).ok()?.1.to_string()))
        .collect();
    let mut issuers = chain.iter().map(Certificate::issuer);
    let has_unreadable_name = named.len() < authorities.len();
    if named.is_empty() || has_unreadable_name || issuers.any(|issuer| named.contains(&issuer)) {
        return None;
    }
    Some(ClientCertificateFlaw::UnnamedIssuer {
        issuer: chain.first()?.issuer(),
        named,
    })
}

fn describe_unnamed_issuer(issuer: &str, named: &[String]) -> String {
    format!(
        "client certificate was issued by {issuer:?}, a CA that the server did not name (named: {})",
        quote(named)
    )
}
