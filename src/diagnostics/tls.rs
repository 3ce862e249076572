//! Failures of TLS: the options, the handshake, and the certificate of the server.

use jiff::Timestamp;

use super::{failure::Failure, format::format_timestamp};
use crate::{
    tls::{
        AcceptedName, BinaryFormat, CertificateAnswer, ChainMember, ClientCertificateFlaw,
        ClientRefusal, HandshakeError, PRIVATE_KEY, PemProblem, RefusalReason, TlsError,
        Unsuitability, ValidityError, Weakness,
    },
    user_path::UserPath,
};

/// The placeholder in a hint for the path of a PEM file.
const PEM: &str = "PEM";

/// The PEM label of a private key in the format of OpenSSH.
const OPENSSH_KEY: &str = "OPENSSH PRIVATE KEY";

const PASS_KEY: &str = "pass the file with the private key: --key KEY.pem";
const PASS_CERTIFICATE: &str =
    "pass the file with the certificate: --cert CERT.pem, or --cacert CA.pem";

const CHECK_CLIENT_TRUST: &str =
    "check that the server trusts the client certificate that was sent";

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        let failure = Self::usage(error.to_string());
        match error {
            TlsError::File(error) => error.into(),
            TlsError::Pem {
                file,
                expected,
                problem,
            } => match pem_hint(&file, expected, &problem) {
                Some(hint) => failure.with_hint(hint),
                None => failure,
            },
            TlsError::NoSystemTrustStore { remarks } => remarks
                .into_iter()
                .fold(failure, Self::with_cause)
                .with_option_hint(
                    &["--cacert", PEM],
                    ", or install the CA certificates of the system",
                ),
            TlsError::UnsupportedKey(_) => failure.with_hint(
                "request a certificate for a new key, created with: openssl genpkey -algorithm EC \
                 -pkeyopt ec_paramgen_curve:P-256 -out KEY.pem",
            ),
            TlsError::LeafNotFirst {
                certificate, key, ..
            } => failure.with_hint(format!(
                "sort the file with: openssl pkcs12 -export -in {} -inkey {} -passout pass: \
                 | openssl pkcs12 -passin pass: -nokeys -out CERT.pem",
                shell_word(&certificate),
                shell_word(&key)
            )),
            TlsError::KeyMismatch {
                certificate, key, ..
            } => failure.with_hint(format!(
                "pass --cert and --key that belong to each other; compare their public keys with: \
                 openssl x509 -in {} -noout -pubkey; openssl pkey -in {} -pubout",
                shell_word(&certificate),
                shell_word(&key)
            )),
            TlsError::InvalidTrustRoot { .. } | TlsError::ClientVerification(_) => failure,
            TlsError::CertificateGeneration(_) => Self::internal_without_cause(failure.message),
        }
    }
}

fn pem_hint(file: &UserPath, expected: &str, problem: &PemProblem) -> Option<String> {
    let has_only_keys = |labels: &[String]| labels.iter().all(|one| one.ends_with("PRIVATE KEY"));
    let file = shell_word(file);
    let command = match problem {
        PemProblem::Binary(BinaryFormat::Certificate | BinaryFormat::Pkcs7)
            if expected == PRIVATE_KEY =>
        {
            return Some(PASS_KEY.to_owned());
        }
        PemProblem::Binary(BinaryFormat::PrivateKey | BinaryFormat::EncryptedKey)
            if expected != PRIVATE_KEY =>
        {
            return Some(PASS_CERTIFICATE.to_owned());
        }
        PemProblem::Binary(format) => conversion(*format, &file)?,
        PemProblem::UnsupportedLabel(_) => format!(
            "openssl crl2pkcs7 -nocrl -certfile {file} | openssl pkcs7 -print_certs -out CERT.pem"
        ),
        PemProblem::OtherBlocks(labels) if labels.iter().any(|label| label == "PKCS7") => {
            format!("openssl pkcs7 -in {file} -print_certs -out CERT.pem")
        }
        PemProblem::EncryptedKey => {
            return Some(format!(
                "decrypt the key with: openssl pkey -in {file} -out KEY.pem"
            ));
        }
        PemProblem::MislabeledKey { .. } => format!("openssl pkey -in {file} -out KEY.pem"),
        PemProblem::Utf16 => return Some("save the file as UTF-8".to_owned()),
        PemProblem::ByteOrderMark => {
            return Some("save the file without a byte order mark".to_owned());
        }
        PemProblem::MalformedBegin { .. } => {
            let hint = "write the file with its original line breaks, and without indentation";
            return Some(hint.to_owned());
        }
        PemProblem::OtherBlocks(labels)
            if expected == PRIVATE_KEY && labels.iter().any(|label| label == OPENSSH_KEY) =>
        {
            return Some(format!(
                "convert a copy of the key (Ed25519: with OpenSSH 9.6 or later): \
                 cp {file} KEY.pem && ssh-keygen -p -m PKCS8 -N '' -f KEY.pem"
            ));
        }
        PemProblem::OtherBlocks(_) if expected == PRIVATE_KEY => {
            return Some(PASS_KEY.to_owned());
        }
        PemProblem::OtherBlocks(labels) if has_only_keys(labels) => {
            return Some(PASS_CERTIFICATE.to_owned());
        }
        _ => return None,
    };
    Some(format!("convert the file with: {command}"))
}

fn conversion(format: BinaryFormat, file: &str) -> Option<String> {
    Some(match format {
        BinaryFormat::OtherDer => return None,
        BinaryFormat::Certificate => {
            format!("openssl x509 -inform der -in {file} -out CERT.pem")
        }
        BinaryFormat::PrivateKey | BinaryFormat::EncryptedKey => {
            format!("openssl pkey -inform der -in {file} -out KEY.pem")
        }
        BinaryFormat::Pkcs12 { is_legacy } => {
            let legacy = if is_legacy { "-legacy " } else { "" };
            format!("openssl pkcs12 {legacy}-nodes -in {file} -out BOTH.pem")
        }
        BinaryFormat::Pkcs7 => {
            format!("openssl pkcs7 -inform der -in {file} -print_certs -out CERT.pem")
        }
        BinaryFormat::JavaKeystore => format!(
            "keytool -importkeystore -srckeystore {file} -deststoretype PKCS12 \
             -destkeystore STORE.p12"
        ),
    })
}

/// Returns a path for a command in a hint.
fn shell_word(file: &UserPath) -> String {
    let shown = file.to_string();
    match shlex::try_quote(&shown) {
        Ok(quoted) if !file.is_hidden() => quoted.into_owned(),
        _ => "FILE".to_owned(),
    }
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
            let remarks = refusal.store_remarks.iter().cloned();
            with_refusal_hint(remarks.fold(failure, Failure::with_cause), &refusal.reason)
        }
        HandshakeError::WrongPrivateKey => failure
            .with_hint("check the address, and the certificate and the private key of the server"),
        HandshakeError::NotTls(_) => failure.with_option_hint(
            &["--plaintext"],
            " without TLS options if the server does not use TLS; otherwise check the port",
        ),
        HandshakeError::ClientRefused(ClientRefusal { answer, .. }) => {
            explain_client_refusal(failure, answer)
        }
        HandshakeError::ClientCertificateRequired(_)
        | HandshakeError::ClientCertificateRefused(_)
            if has_client_certificate =>
        {
            failure.with_hint(CHECK_CLIENT_TRUST)
        }
        HandshakeError::ClientCertificateRequired(_)
        | HandshakeError::ClientCertificateRefused(_) => with_client_certificate_hint(failure),
        HandshakeError::UnknownServerName(_) => {
            failure.with_hint("pass --servername NAME with a name that the server knows")
        }
        HandshakeError::NoHttp2(_) => {
            failure.with_hint("check the port, and that a proxy in front of the server supports h2")
        }
        HandshakeError::UnsupportedVersion => {
            failure.with_hint("enable TLS 1.2 or TLS 1.3 on the server")
        }
        HandshakeError::Refused(_) => failure
            .with_hint("check the cipher suites of the server, and the kind of the server's key"),
        HandshakeError::Other(_) => failure,
    }
}

/// Adds the flaws of the client certificate, and a hint.
pub(super) fn explain_client_refusal(failure: Failure, answer: &CertificateAnswer) -> Failure {
    let flaws = match answer {
        CertificateAnswer::Empty => return with_client_certificate_hint(failure),
        CertificateAnswer::KeyNotSupported { .. } => {
            return failure.with_hint(
                "pass a client certificate with another kind of key, such as ECDSA P-256 or RSA",
            );
        }
        CertificateAnswer::Sent { flaws, .. } => flaws,
    };
    let causes = flaws.iter().map(ToString::to_string);
    let failure = causes.fold(failure, Failure::with_cause);
    failure.with_hint(match flaws.first() {
        Some(ClientCertificateFlaw::OutsideValidity(ValidityError::NotYetValid { .. })) => {
            check_clock()
        }
        Some(ClientCertificateFlaw::OutsideValidity(_)) => {
            "renew the client certificate".to_owned()
        }
        Some(ClientCertificateFlaw::Version1) => {
            "request a client certificate of X.509 version 3".to_owned()
        }
        Some(ClientCertificateFlaw::Weak(_)) => {
            "request a client certificate that is signed with SHA-256".to_owned()
        }
        Some(ClientCertificateFlaw::InvalidPurpose(_)) => "request a certificate for clients \
             (keyUsage: digitalSignature, extendedKeyUsage: clientAuth)"
            .to_owned(),
        Some(ClientCertificateFlaw::IssuerOutsideValidity { .. }) => {
            format!("{CHECK_CLIENT_TRUST}, or renew that CA certificate in --cert")
        }
        Some(ClientCertificateFlaw::UnnamedIssuer { .. }) => {
            format!(
                "{CHECK_CLIENT_TRUST}, or pass a client certificate issued by a CA that the server \
                 named"
            )
        }
        None => CHECK_CLIENT_TRUST.to_owned(),
    })
}

fn with_client_certificate_hint(failure: Failure) -> Failure {
    failure.with_option_hint(&["--cert", "CLIENT.pem", "--key", "CLIENT.key"], "")
}

fn check_clock() -> String {
    let now = format_timestamp(Timestamp::now().as_second());
    format!("check the clock of this machine, which says {now}")
}

/// A certificate in use is renewed soon after it expired, so otherwise the clock may be wrong.
fn renewal(hint: &str, expired: i64) -> String {
    const YEAR_SECONDS: i64 = 365 * 24 * 60 * 60;
    let expired_for = Timestamp::now().as_second() - expired;
    if expired_for < YEAR_SECONDS {
        return hint.to_owned();
    }
    format!("{hint}, or {}", check_clock())
}

/// Adds the option, or the change of the server, with which the certificate would be accepted.
fn with_refusal_hint(failure: Failure, reason: &RefusalReason) -> Failure {
    let trusting = |remark: &str| failure.clone().with_option_hint(&["--cacert", PEM], remark);
    let hint = match reason {
        RefusalReason::OutsideValidity(_, ValidityError::NotYetValid { .. }) => &check_clock(),
        RefusalReason::OutsideValidity(
            ChainMember::EndEntity,
            ValidityError::Expired(validity),
        ) => &renewal(
            "install a new certificate on the server",
            validity.not_after.timestamp(),
        ),
        RefusalReason::OutsideValidity(
            ChainMember::Issuer(_),
            ValidityError::Expired(validity),
        ) => {
            let renew = "renew that CA certificate, on the server and in --cacert";
            &renewal(renew, validity.not_after.timestamp())
        }
        RefusalReason::Weak(ChainMember::EndEntity, Weakness::Key { .. })
        | RefusalReason::Unsuitable(
            ChainMember::EndEntity,
            Unsuitability::Curve(_) | Unsuitability::ExplicitCurve | Unsuitability::KeyAlgorithm(_),
        ) => "install a certificate with an ECDSA P-256 key, or RSA of 2048 bits or more",
        RefusalReason::Weak(ChainMember::EndEntity, Weakness::Signature) => {
            "install a certificate that is signed with SHA-256"
        }
        RefusalReason::NameMismatch {
            accepted_name: Some(name),
            ..
        } => return with_name_hint(failure, name),
        RefusalReason::NameMismatch { .. } => "install a certificate with the name of the server",
        RefusalReason::AddressInDnsName(address) => {
            &format!("install a certificate with an IP SAN (subjectAltName=IP:{address})")
        }
        RefusalReason::CommonNameOnly(_) => {
            return failure.with_option_hint(&["--allow-common-name"], "");
        }
        RefusalReason::NoCommonName | RefusalReason::NoNameInSan(_) => {
            "install a certificate with the name of the server in its SAN"
        }
        RefusalReason::NameConstraint
        | RefusalReason::Unsuitable(_, Unsuitability::NameConstraints(_)) => {
            "install a certificate of a CA that may issue for this name"
        }
        RefusalReason::Unsuitable(
            ChainMember::Issuer(_),
            Unsuitability::CriticalExtension(_) | Unsuitability::EarlyValidity(_),
        ) => {
            return trusting(" with that CA certificate");
        }
        RefusalReason::Unsuitable(ChainMember::EndEntity, Unsuitability::CriticalExtension(_)) => {
            "install a certificate in which this extension is not critical"
        }
        RefusalReason::Unsuitable(ChainMember::EndEntity, Unsuitability::Version(_)) => {
            "install an X.509 version 3 certificate"
        }
        RefusalReason::Unsuitable(ChainMember::EndEntity, Unsuitability::EarlyValidity(_)) => {
            "install a certificate whose validity period begins in 1970 or later"
        }
        RefusalReason::Unsuitable(_, Unsuitability::SignatureAlgorithm(_)) => {
            "install certificates that are signed with ECDSA, Ed25519 or RSA and SHA-256"
        }
        RefusalReason::Weak(ChainMember::Issuer(_), _) | RefusalReason::Unsuitable(..) => {
            "install a certificate of another CA on the server"
        }
        RefusalReason::InvalidPurpose(..) => {
            "install a certificate for servers \
             (keyUsage: digitalSignature, extendedKeyUsage: serverAuth)"
        }
        RefusalReason::X509V1OnTls12 => {
            "enable TLS 1.3 on the server, or install an X.509 version 3 certificate"
        }
        RefusalReason::X509V1NotPinned
        | RefusalReason::CaUsedAsEndEntity
        | RefusalReason::SelfSigned => {
            let remark = " with this certificate, if the server's operator confirms the SHA-256 \
                          that sensor-license probe prints";
            return trusting(remark);
        }
        RefusalReason::SelfSignedNotPinned => {
            let remark = " with the server's new certificate, if its operator confirms the SHA-256 \
                          that sensor-license probe prints";
            return trusting(remark);
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
    if name.server_name.contains('*') {
        let allowing = if name.needs_common_name {
            " and --allow-common-name"
        } else {
            ""
        };
        return failure.with_hint(format!(
            "pass --servername NAME with a name that matches {:?}{allowing}",
            name.server_name
        ));
    }
    let options = ["--servername", &name.server_name, "--allow-common-name"];
    let count = if name.needs_common_name { 3 } else { 2 };
    failure.with_option_hint(&options[..count], "")
}
