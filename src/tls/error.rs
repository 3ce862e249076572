//! [`TlsError`]: an error of the TLS options, found before any connection.

use super::pem::PemError;

/// An error that prevents a TLS configuration from being built.
#[derive(Debug)]
pub(crate) enum TlsError {
    Pem(PemError),
    /// The operating system's trust store has no readable certificate.
    NoSystemTrustStore {
        causes: Vec<String>,
    },
    /// The certificate and the private key do not match, or their type is not supported.
    InvalidIdentity(rustls::Error),
    /// A certificate that is configured as trusted is not usable as a trust root.
    InvalidTrustRoot(String),
    /// A self-signed certificate could not be generated.
    CertificateGeneration(String),
    /// The cryptography provider does not support the default TLS versions.
    Unsupported(rustls::Error),
}
