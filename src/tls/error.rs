//! [`TlsError`]: an error of the TLS options, found before any connection.

use std::error::Error;

use super::pem::PemError;

/// An error that prevents a TLS configuration from being built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error("no readable CA certificate in the system trust store")]
    NoSystemTrustStore(Vec<rustls_native_certs::Error>),
    #[error("certificate and private key cannot be used together: {0}")]
    InvalidIdentity(rustls::Error),
    #[error("certificate cannot be used as a trusted CA: {0}")]
    InvalidTrustRoot(String),
    #[error("cannot generate a self-signed certificate: {0}")]
    CertificateGeneration(Box<dyn Error>),
    /// The cryptography provider does not support the default TLS versions.
    #[error("cannot set up TLS: {0}")]
    Unsupported(rustls::Error),
}
