//! [`HandshakeError`]: the reason why a TLS handshake failed.

use rustls::{AlertDescription, Error, PeerIncompatible};

use super::{
    client_certificate::{CertificateAnswer, ClientRefusal},
    protocol_error::TlsProtocolError,
    refusal::Refusal,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error(transparent)]
    CertificateRefused(Refusal),
    #[error("server does not hold the private key of its certificate")]
    WrongPrivateKey,
    #[error("server does not speak TLS: {0}")]
    NotTls(TlsProtocolError),
    /// The server had requested a client certificate before it ended the connection.
    #[error("{0}")]
    ClientRefused(ClientRefusal),
    /// The server sent this alert without a certificate request.
    #[error("server requires a client certificate: {0}")]
    ClientCertificateRequired(TlsProtocolError),
    /// The server sent this alert without a certificate request.
    #[error("server refused the client certificate: {0}")]
    ClientCertificateRefused(TlsProtocolError),
    #[error("server does not know the requested server name: {0}")]
    UnknownServerName(TlsProtocolError),
    /// The value is the protocol that the server selected by ALPN.
    #[error("server does not support HTTP/2 (offered by ALPN: h2, selected: {0})")]
    NoHttp2(String),
    #[error("server supports neither TLS 1.2 nor TLS 1.3")]
    UnsupportedVersion,
    /// The server sent the alert `handshake_failure` without a certificate request, so a client
    /// certificate would not help.
    #[error("server refused the TLS handshake: {0}")]
    Refused(TlsProtocolError),
    #[error("TLS handshake failed: {0}")]
    Other(TlsProtocolError),
}

impl HandshakeError {
    /// Returns the error for a server that had requested a client certificate and got `answer`.
    /// Servers use many alerts to refuse a certificate, or none.
    pub(crate) fn after_certificate_request(self, answer: CertificateAnswer) -> Self {
        match self {
            Self::ClientCertificateRequired(alert)
            | Self::ClientCertificateRefused(alert)
            | Self::Refused(alert) => Self::client_refused(answer, alert),
            Self::Other(error) if error.is_alert() => Self::client_refused(answer, error),
            error => error,
        }
    }

    fn client_refused(answer: CertificateAnswer, alert: TlsProtocolError) -> Self {
        let alert = Some(alert);
        Self::ClientRefused(ClientRefusal { answer, alert })
    }
}

impl From<TlsProtocolError> for HandshakeError {
    fn from(error: TlsProtocolError) -> Self {
        use AlertDescription as Alert;
        match &error.0 {
            Error::InvalidCertificate(reason) => match Refusal::from_error(reason) {
                Some(refusal) => Self::CertificateRefused(refusal.clone()),
                None => Self::WrongPrivateKey,
            },
            Error::InvalidMessage(_) => Self::NotTls(error),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            )
            | Error::AlertReceived(Alert::ProtocolVersion) => Self::UnsupportedVersion,
            Error::AlertReceived(Alert::CertificateRequired) => {
                Self::ClientCertificateRequired(error)
            }
            Error::AlertReceived(
                Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied,
            ) => Self::ClientCertificateRefused(error),
            Error::AlertReceived(Alert::UnrecognisedName) => Self::UnknownServerName(error),
            Error::AlertReceived(Alert::NoApplicationProtocol) => Self::NoHttp2("none".to_owned()),
            Error::AlertReceived(Alert::HandshakeFailure) => Self::Refused(error),
            _ => Self::Other(error),
        }
    }
}
