//! Failures of TLS: the options, the handshake, and the certificate of the server.

use super::failure::Failure;
use crate::tls::{
    AcceptedName, ChainMember, HandshakeError, PemProblem, RefusalReason, TlsError, ValidityError,
    Weakness,
};

/// The placeholder in a hint for the path of a PEM file.
const PEM: &str = "PEM";

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        let failure = Self::usage(error.to_string());
        match error {
            TlsError::File(error) => error.into(),
            TlsError::Pem { problem, .. } => match pem_hint(&problem) {
                Some(hint) => failure.with_hint(hint),
                None => failure,
            },
            TlsError::NoSystemTrustStore(errors) => errors
                .iter()
                .map(ToString::to_string)
                .fold(failure, Self::with_cause)
                .with_option_hint(
                    &["--cacert", PEM],
                    ", or install the CA certificates of the system",
                ),
            TlsError::InvalidIdentity(_) => {
                failure.with_hint("pass --cert and --key that belong to each other")
            }
            TlsError::InvalidTrustRoot(_) => failure,
            TlsError::CertificateGeneration(_) => Self::internal_without_cause(failure.message),
        }
    }
}

fn pem_hint(problem: &PemProblem) -> Option<&'static str> {
    Some(match problem {
        PemProblem::Utf16 => "save the file as UTF-8",
        PemProblem::ByteOrderMark => "save the file without a byte order mark",
        PemProblem::Der => "convert a certificate with: openssl x509 -inform der -in FILE -out PEM",
        PemProblem::MalformedBegin { .. } => {
            "write the file with its original line breaks, and without indentation"
        }
        PemProblem::UnsupportedLabel(_) => "convert the file with: openssl x509 -in FILE -out PEM",
        PemProblem::EncryptedKey => "decrypt the key with: openssl pkey -in FILE -out PEM",
        _ => return None,
    })
}

/// Returns the failure for a TLS handshake. `has_client_certificate` tells whether this program
/// was configured to send a client certificate.
pub(super) fn handshake_failed(
    server: &str,
    error: &HandshakeError,
    has_client_certificate: bool,
) -> Failure {
    let failure = Failure::tls(format!("TLS handshake with \"{server}\" failed"))
        .with_cause(error.to_string());
    match error {
        HandshakeError::CertificateRefused(refusal) => {
            let failure = match &refusal.certificate {
                Some(certificate) => failure.with_cause(certificate.describe()),
                None => failure,
            };
            with_refusal_hint(failure, &refusal.reason)
        }
        HandshakeError::WrongPrivateKey(_) => {
            failure.with_hint("check which server answers, and its certificate and private key")
        }
        HandshakeError::NotTls(_) => failure.with_option_hint(
            &["--plaintext"],
            " without TLS options if the server does not use TLS; otherwise check the port",
        ),
        HandshakeError::ClientCertificateRequested
        | HandshakeError::ClientCertificateRequired
        | HandshakeError::ClientCertificateRefused(_) => {
            with_client_certificate_hint(failure, has_client_certificate)
        }
        HandshakeError::UnknownServerName(_) => {
            failure.with_hint("pass --servername NAME with a name that the server has")
        }
        HandshakeError::NoHttp2(_) => {
            failure.with_hint("check the port, and that a proxy in front of the server supports h2")
        }
        HandshakeError::UnsupportedVersion(_) => {
            failure.with_hint("enable TLS 1.2 or TLS 1.3 on the server")
        }
        HandshakeError::Refused(_) if has_client_certificate => {
            failure.with_hint("check the cipher suites of the server")
        }
        HandshakeError::Refused(_) => failure.with_hint(
            "pass --cert and --key if the server requires a client certificate; \
             otherwise check its cipher suites",
        ),
        HandshakeError::Other(_) => failure,
    }
}

/// Adds the hint for a server that did not accept the client certificate, or got none.
pub(super) fn with_client_certificate_hint(failure: Failure, is_sent: bool) -> Failure {
    if is_sent {
        failure.with_hint("check that the server trusts the client certificate that was sent")
    } else {
        failure.with_option_hint(&["--cert", "CLIENT.pem", "--key", "CLIENT.key"], "")
    }
}

/// Adds the option, or the change of the server, with which the certificate would be accepted.
fn with_refusal_hint(failure: Failure, reason: &RefusalReason) -> Failure {
    let trusting = |remark: &str| failure.clone().with_option_hint(&["--cacert", PEM], remark);
    let hint = match reason {
        RefusalReason::OutsideValidity(_, ValidityError::NotYetValid { .. }) => {
            "check the clock of this machine"
        }
        RefusalReason::OutsideValidity(ChainMember::Server, _) => {
            "install a new certificate on the server"
        }
        RefusalReason::OutsideValidity(ChainMember::Issuer(_), _) => {
            "renew that CA certificate, on the server and in --cacert"
        }
        RefusalReason::Weak(ChainMember::Server, Weakness::Key { .. }) => {
            "install a certificate with an ECDSA P-256 key, or RSA of 2048 bits or more"
        }
        RefusalReason::Weak(ChainMember::Server, Weakness::Signature) => {
            "install a certificate that is signed with SHA-256"
        }
        RefusalReason::Weak(ChainMember::Issuer(_), _) => {
            "install a certificate of another CA on the server"
        }
        RefusalReason::NameMismatch {
            accepted_name: Some(name),
            ..
        } => return with_name_hint(failure, name),
        RefusalReason::NameMismatch { names, .. } => {
            match names.iter().find(|name| name.contains('*')) {
                Some(name) => &format!("pass --servername NAME with a name that matches {name:?}"),
                None => "install a certificate with the name of the server",
            }
        }
        RefusalReason::AddressInDnsName(address) => {
            &format!("install a certificate with an IP SAN (subjectAltName=IP:{address})")
        }
        RefusalReason::CommonNameOnly(_) => {
            return failure.with_option_hint(&["--allow-common-name"], "");
        }
        RefusalReason::NoCommonName | RefusalReason::NoNameInSan => {
            "install a certificate with the name of the server in its SAN"
        }
        RefusalReason::NameConstraint => {
            "install a certificate of a CA that may issue for this name"
        }
        RefusalReason::InvalidPurpose(_) => {
            "install a certificate for servers (extendedKeyUsage: serverAuth)"
        }
        RefusalReason::X509V1OnTls12 => {
            "enable TLS 1.3 on the server, or install an X.509 version 3 certificate"
        }
        RefusalReason::X509V1NotPinned
        | RefusalReason::CaUsedAsEndEntity
        | RefusalReason::SelfSigned => return trusting(" with this certificate"),
        RefusalReason::SelfSignedNotPinned => {
            return trusting(" with the current certificate of the server");
        }
        RefusalReason::NotSignedByNamesake(_) => {
            return trusting(" with the current certificate of that CA");
        }
        RefusalReason::UnknownIssuer(_) => {
            return trusting(" with that CA certificate, or configure the server to send it");
        }
        RefusalReason::Unparsable(_) | RefusalReason::Invalid(_) => return failure,
    };
    failure.with_hint(hint)
}

fn with_name_hint(failure: Failure, name: &AcceptedName) -> Failure {
    let options = ["--servername", &name.server_name, "--allow-common-name"];
    let count = if name.needs_common_name { 3 } else { 2 };
    failure.with_option_hint(&options[..count], "")
}
