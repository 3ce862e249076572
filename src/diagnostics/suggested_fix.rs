//! [`SuggestedFix`]: a change of the connection options that may let a failed connection or call
//! succeed. `probe` applies the changes. The hints in messages are in the other files.

use rustls::{AlertDescription, Error};
use tonic::Code;

use super::certificate::{refusal_of, requestable_name};
use crate::{
    client::{CallError, ConnectError, ConnectErrorKind, Stage},
    tls::{Refusal, RefusalReason},
};

/// A change of the connection options that may prevent an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SuggestedFix {
    /// `--servername` with this name.
    ServerName(String),
    AllowCommonName,
    /// `--cacert` with a file that only the user knows.
    TrustedCertificate,
    /// `--cert` and `--key` with files that only the user knows.
    ClientCertificate,
    Plaintext,
    /// The removal of `--plaintext`.
    UseTls,
    /// `--method` with this path.
    Method(String),
}

impl SuggestedFix {
    /// Returns the fix that may let a failed connection succeed, or `None` if no fix is known.
    pub(crate) fn for_connect_error(error: &ConnectError) -> Option<Self> {
        match &error.kind {
            ConnectErrorKind::Tls(error) => Self::for_tls_error(error),
            ConnectErrorKind::ClientCertificateRequested => Some(Self::ClientCertificate),
            ConnectErrorKind::ServerExpectsTls => Some(Self::UseTls),
            // The server responded to plaintext with a TLS record (RFC 8446 section 5.1). The first
            // byte is the content type: 0x15 for an alert, 0x16 for a handshake message. The second
            // byte, 3, is the major version.
            ConnectErrorKind::NotHttp2(first_bytes)
                if matches!(first_bytes.as_slice(), [0x15 | 0x16, 3, ..]) =>
            {
                (error.stage == Stage::Http2).then_some(Self::UseTls)
            }
            _ => None,
        }
    }

    /// Returns the fix that may let a failed TLS handshake succeed, or `None` if no fix is known.
    pub(crate) fn for_tls_error(error: &Error) -> Option<Self> {
        match error {
            Error::InvalidCertificate(_) => Self::for_refusal(refusal_of(error)?),
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

    fn for_refusal(refusal: &Refusal) -> Option<Self> {
        let certificate = refusal.certificate.as_ref()?;
        match refusal.reason {
            RefusalReason::NameMismatch => requestable_name(certificate)
                .filter(|name| !name.contains('*'))
                .map(|name| Self::ServerName(name.to_owned())),
            RefusalReason::CommonNameOnly => Some(Self::AllowCommonName),
            RefusalReason::SelfSignedNotPinned
            | RefusalReason::BadSignature
            | RefusalReason::UnknownIssuer { .. }
            | RefusalReason::CaUsedAsEndEntity => Some(Self::TrustedCertificate),
            _ => None,
        }
    }

    /// Returns the fix that may let the call at `path` succeed, or `None` if no fix is known.
    ///
    /// If the server does not know the service, the fix is the method of a service with the same
    /// name in a different package. If the server has several such services, no fix is returned,
    /// because the suggested service could be wrong.
    pub(crate) fn for_call_error(
        error: &CallError,
        services: &[String],
        path: &str,
    ) -> Option<Self> {
        let CallError::Status {
            code: Code::Unimplemented | Code::NotFound,
            ..
        } = error
        else {
            return None;
        };
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let name_of = |service: &str| service.rsplit('.').next().unwrap_or_default().to_owned();
        let mut namesakes = services
            .iter()
            .filter(|other| *other != service && name_of(other) == name_of(service));
        match (namesakes.next(), namesakes.next()) {
            (Some(only), None) => Some(Self::Method(format!("/{only}/{method}"))),
            _ => None,
        }
    }
}
