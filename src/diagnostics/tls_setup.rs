//! Failures to set up TLS: invalid PEM files, and an unusable trust store.

use super::failure::Failure;
use crate::tls::{PemError, PemKind, PemProblem, TlsError};

/// Returns the failure for a TLS configuration that could not be made from the options and the
/// operating system's trust store.
pub(crate) fn tls_setup_failed(error: TlsError) -> Failure {
    match error {
        TlsError::Pem(PemError {
            problem: PemProblem::Unreadable(error),
            ..
        }) => error.into(),
        TlsError::Pem(error) => pem_invalid(&error),
        TlsError::NoSystemTrustStore { causes } => causes
            .into_iter()
            .fold(
                Failure::usage("the operating system has no trust store that can be read"),
                Failure::with_cause,
            )
            .with_hint("install its CA certificates, or name the ones to trust with --cacert"),
        TlsError::InvalidIdentity(error) => {
            Failure::usage("the certificate and the key can't be used together")
                .with_cause(error.to_string())
                .with_hint("--cert and --key must belong to each other")
        }
        TlsError::InvalidTrustRoot(reason) => {
            Failure::usage("a certificate can't be a trust anchor").with_cause(reason)
        }
        TlsError::CertificateGeneration(reason) => {
            Failure::internal("a certificate could not be made", &reason)
        }
        TlsError::Unsupported(error) => Failure::internal("TLS can't be set up", &error),
    }
}

/// Returns the failure for a PEM file from which no certificate or private key could be read.
fn pem_invalid(error: &PemError) -> Failure {
    let expected = match error.expected {
        PemKind::Certificate => "a certificate",
        PemKind::PrivateKey => "a private key",
    };
    let failure = Failure::usage(format!("{} is no PEM file with {expected}", error.file));
    let (cause, hint) = match &error.problem {
        PemProblem::Unreadable(error) => (error.to_string(), None),
        PemProblem::Empty => ("it is empty".to_owned(), None),
        PemProblem::Utf16 => (
            "it is UTF-16 text".to_owned(),
            Some("save it as plain ASCII or UTF-8"),
        ),
        PemProblem::ByteOrderMark => (
            "it starts with a byte order mark".to_owned(),
            Some("save it as UTF-8 without a byte order mark"),
        ),
        PemProblem::Der => (
            "it is binary DER".to_owned(),
            Some("openssl x509 -inform der -in FILE -out FILE.pem converts a certificate"),
        ),
        PemProblem::Indented { line } => (
            format!("white space stands before -----BEGIN in line {line}"),
            Some("remove the indentation"),
        ),
        PemProblem::MalformedBegin { line } => (
            format!("its -----BEGIN in line {line} does not stand alone in its line"),
            Some("the file may have lost its line ends: write it as it was made"),
        ),
        PemProblem::UnsupportedLabel(label) => (
            format!("it holds {label}, which is not the same as CERTIFICATE"),
            Some("openssl x509 -in FILE -out FILE.pem converts it"),
        ),
        PemProblem::NoSuchBlock { found } if found.is_empty() => {
            ("it holds no PEM block".to_owned(), None)
        }
        PemProblem::NoSuchBlock { found } => (format!("it holds {}", found.join(", ")), None),
        PemProblem::InvalidBlock {
            line,
            label,
            reason,
        } => (
            format!("its {label} of line {line} is broken: {reason}"),
            None,
        ),
        PemProblem::EncryptedKey => (
            "its key is encrypted".to_owned(),
            Some("openssl pkey -in FILE -out FILE.plain decrypts it"),
        ),
        PemProblem::MultipleKeys => ("it holds more than one private key".to_owned(), None),
    };
    let failure = failure.with_cause(cause);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
