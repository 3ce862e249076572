//! What would mend a failure, where flags can.

use rustls::{AlertDescription, CertificateError, Error};
use tonic::Code;

use super::tls::usable_name;
use crate::{
    client::{CallError, Cause, ConnectError, Stage},
    tls::{Reason, Refusal},
};

/// A change of flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mend {
    ServerName(String),
    AllowCommonName,
    /// A certificate to trust is to be named.
    TrustAnchor,
    /// A client certificate is to be named.
    ClientCertificate,
    Plaintext,
    NoPlaintext,
    /// The path of the call.
    Method(String),
}

impl Mend {
    /// What would let a connection come about.
    pub(crate) fn of_connect(error: &ConnectError) -> Option<Self> {
        match &error.cause {
            Cause::Tls(error) => Self::of_handshake(error),
            Cause::ClientCertificate => Some(Self::ClientCertificate),
            Cause::WantsTls => Some(Self::NoPlaintext),
            // A TLS record in answer to plaintext.
            Cause::NotHttp2(first) if matches!(first.as_slice(), [0x15 | 0x16, 3, ..]) => {
                (error.stage == Stage::Http2).then_some(Self::NoPlaintext)
            }
            _ => None,
        }
    }

    /// What would let a handshake succeed.
    pub(crate) fn of_handshake(error: &Error) -> Option<Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(other)) => {
                Self::of_refusal(other.0.downcast_ref()?)
            }
            Error::InvalidMessage(_) => Some(Self::Plaintext),
            Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied,
            ) => Some(Self::ClientCertificate),
            _ => None,
        }
    }

    fn of_refusal(refusal: &Refusal) -> Option<Self> {
        let certificate = refusal.certificate.as_ref()?;
        match refusal.reason {
            Reason::WrongName => usable_name(certificate)
                .filter(|name| !name.contains('*'))
                .map(|name| Self::ServerName(name.to_owned())),
            Reason::CommonNameOnly => Some(Self::AllowCommonName),
            Reason::NotTheGivenOne
            | Reason::BadSignature
            | Reason::UnknownIssuer { .. }
            | Reason::AuthorityAsServer => Some(Self::TrustAnchor),
            _ => None,
        }
    }

    /// What would let a call go through: the same method of a service with the same last name,
    /// where the server lists one.
    pub(crate) fn of_call(error: &CallError, services: &[String], path: &str) -> Option<Self> {
        let CallError::Status {
            code: Code::Unimplemented | Code::NotFound,
            ..
        } = error
        else {
            return None;
        };
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let mut namesakes = services
            .iter()
            .filter(|one| *one != service && last(one) == last(service));
        match (namesakes.next(), namesakes.next()) {
            (Some(only), None) => Some(Self::Method(format!("/{only}/{method}"))),
            _ => None,
        }
    }
}
