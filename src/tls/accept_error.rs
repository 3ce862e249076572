//! [`AcceptError`]: the reason why a server did not accept the TLS connection of a client.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage};

use super::{certificate::Certificate, refusal::Refusal};

#[derive(Debug, thiserror::Error)]
pub(crate) enum AcceptError {
    #[error("client certificate refused: {}{}", .0, describe(.0.certificate.as_deref()))]
    CertificateRefused(Refusal),
    #[error("client sent no certificate")]
    NoCertificate,
    #[error("client does not hold the private key of its certificate: {0}")]
    WrongPrivateKey(CertificateError),
    #[error("client does not speak TLS: {0:?}")]
    NotTls(InvalidMessage),
    #[error("client refused the handshake: {0}")]
    RefusedByClient(Error),
    #[error("{0}")]
    Other(Error),
    #[error("client closed the connection")]
    Closed,
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        let tls_error = error.get_ref().and_then(|inner| inner.downcast_ref());
        match tls_error.cloned() {
            Some(error) => Self::from_tls(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Io(error),
        }
    }
}

impl AcceptError {
    fn from_tls(error: Error) -> Self {
        match error {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(reason) => match Refusal::from_error(&reason) {
                Some(refusal) => Self::CertificateRefused(refusal.clone()),
                None => Self::WrongPrivateKey(reason),
            },
            Error::InvalidMessage(reason) => Self::NotTls(reason),
            Error::AlertReceived(_) => Self::RefusedByClient(error),
            error => Self::Other(error),
        }
    }
}

fn describe(certificate: Option<&Certificate>) -> String {
    certificate.map_or_else(String::new, |one| format!("; {}", one.describe()))
}
