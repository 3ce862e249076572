//! Errors of setting up TLS, before any connection.

use super::pem::PemError;

/// An error that prevents a TLS configuration from being built.
#[derive(Debug)]
pub(crate) enum TlsError {
    Pem(PemError),
    /// No certificate of the operating system's trust store can be read.
    NoSystemTrustStore {
        causes: Vec<String>,
    },
    /// A certificate and a private key that do not match, or whose type is not supported.
    InvalidIdentity(rustls::Error),
    /// A certificate that cannot be a trust root.
    InvalidTrustRoot(String),
    /// A self-signed certificate could not be generated.
    CertificateGeneration(String),
    /// The cryptography provider does not support the default TLS versions.
    Unsupported(rustls::Error),
}
