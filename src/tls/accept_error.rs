//! [`AcceptError`]: the reason why a server did not accept the TLS connection of a client.

use std::io;

use rustls::Error;

use super::{certificate::Certificate, protocol_error::TlsProtocolError, refusal::Refusal};

#[derive(Debug, thiserror::Error)]
pub(crate) enum AcceptError {
    #[error("client certificate refused: {}{}", .0, describe(.0.certificate.as_deref()))]
    CertificateRefused(Refusal),
    #[error("client sent no certificate")]
    NoCertificate,
    #[error("client does not hold the private key of its certificate")]
    WrongPrivateKey,
    #[error("client does not speak TLS: {0}")]
    NotTls(TlsProtocolError),
    #[error("client refused the handshake: {0}")]
    RefusedByClient(TlsProtocolError),
    #[error("{0}")]
    Other(TlsProtocolError),
    #[error("client closed the connection")]
    Closed,
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        match TlsProtocolError::from_io(&error) {
            Some(error) => Self::from_tls(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Io(error),
        }
    }
}

impl AcceptError {
    fn from_tls(error: TlsProtocolError) -> Self {
        match &error.0 {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(reason) => match Refusal::from_error(reason) {
                Some(refusal) => Self::CertificateRefused(refusal.clone()),
                None => Self::WrongPrivateKey,
            },
            Error::InvalidMessage(_) => Self::NotTls(error),
            Error::AlertReceived(_) => Self::RefusedByClient(error),
            _ => Self::Other(error),
        }
    }
}

fn describe(certificate: Option<&Certificate>) -> String {
    certificate.map_or_else(String::new, |one| format!("; {}", one.describe()))
}
