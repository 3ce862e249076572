//! The errors of the TLS options, found before any connection.

use std::error::Error;

use super::{binary_format::BinaryFormat, general_name::quote};
use crate::user_path::{FileError, UserPath};

#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} {expected} in {file}: {problem}", if problem.is_absence() { "no" } else { "invalid" })]
    Pem {
        file: UserPath,
        expected: &'static str,
        problem: PemProblem,
    },
    #[error("no readable CA certificate in the system trust store")]
    NoSystemTrustStore { remarks: Vec<String> },
    #[error(
        "private key in {0} is not supported \
         (supported: ECDSA P-256, P-384 and P-521, Ed25519, RSA of 2048 bits or more)"
    )]
    UnsupportedKey(UserPath),
    /// `number` counts from 1.
    #[error(
        "private key in {key} belongs to certificate {number} of {certificate}, {subject:?}, \
         which must be the first"
    )]
    LeafNotFirst {
        certificate: UserPath,
        key: UserPath,
        number: usize,
        subject: String,
    },
    #[error(
        "private key in {key} does not belong to the certificate in {certificate} ({})",
        quote(subjects)
    )]
    KeyMismatch {
        certificate: UserPath,
        key: UserPath,
        subjects: Vec<String>,
    },
    #[error("certificate {subject:?} cannot be used as a trusted CA: {reason}")]
    InvalidTrustRoot { subject: String, reason: String },
    #[error("clients cannot be verified: {0}")]
    ClientVerification(String),
    #[error("cannot generate a self-signed certificate: {0}")]
    CertificateGeneration(Box<dyn Error>),
}

impl PemProblem {
    /// Returns whether the file holds nothing of the expected kind.
    fn is_absence(&self) -> bool {
        !matches!(
            self,
            Self::InvalidBlock { .. }
                | Self::EncryptedKey
                | Self::MislabeledKey { .. }
                | Self::MultipleKeys
        )
    }
}

/// The reason why a PEM file is refused. Line numbers count from 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PemProblem {
    #[error("file is empty")]
    Empty,
    #[error("file is UTF-16 text")]
    Utf16,
    #[error("file starts with a byte order mark")]
    ByteOrderMark,
    #[error("file is {0}, not PEM")]
    Binary(BinaryFormat),
    #[error("-----BEGIN on line {line} is not alone on its line")]
    MalformedBegin { line: usize },
    /// A block has a certificate label other than `CERTIFICATE`, such as `TRUSTED CERTIFICATE`.
    #[error("expected CERTIFICATE, found {0}")]
    UnsupportedLabel(String),
    #[error("found no PEM block")]
    NoBlock,
    #[error("found only {}", .0.join(", "))]
    OtherBlocks(Vec<String>),
    #[error("{label} on line {line}: {reason}")]
    InvalidBlock {
        line: usize,
        label: String,
        reason: String,
    },
    #[error("private key is encrypted")]
    EncryptedKey,
    #[error("{label} on line {line} holds a {format} key, whose label is {right_label}")]
    MislabeledKey {
        line: usize,
        label: String,
        format: &'static str,
        right_label: &'static str,
    },
    #[error("found more than one private key")]
    MultipleKeys,
}
