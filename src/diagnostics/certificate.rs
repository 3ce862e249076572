//! The failure for a server certificate that this program refused: the reason, and a hint with the
//! option that helps.

use rustls::{CertificateError, Error};

use super::{failure::Failure, format::format_timestamp};
use crate::tls::{CertificateInfo, DistinguishedName, Refusal, RefusalReason};

/// Returns the [`Refusal`] inside a TLS error, or `None` if the error has a different cause.
pub(super) fn refusal_of(error: &Error) -> Option<&Refusal> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => other.0.downcast_ref(),
        _ => None,
    }
}

/// Returns the failure for a TLS handshake in which this program refused the server certificate.
pub(super) fn certificate_refused(server: &str, refusal: &Refusal) -> Failure {
    let Refusal {
        reason,
        server_name,
        certificate,
        trusted_subjects,
    } = refusal;
    let failure = Failure::tls(format!("the certificate of {server} was refused"));
    let Some(certificate) = certificate else {
        let reason = match reason {
            RefusalReason::Unreadable(reason) => reason.as_str(),
            _ => "",
        };
        return failure.with_cause(format!("it can't be read: {reason}"));
    };
    let failure = failure
        .with_cause(describe_refusal(reason, server_name, certificate))
        .with_cause(format!(
            "it is the certificate {}, issued by {}, for {}",
            subject_or_placeholder(&certificate.subject),
            subject_or_placeholder(&certificate.issuer),
            list_names(certificate)
        ));
    match refusal_hint(reason, certificate, trusted_subjects) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// Describes the reason as a sentence whose subject is the certificate.
fn describe_refusal(
    reason: &RefusalReason,
    server_name: &str,
    certificate: &CertificateInfo,
) -> String {
    match reason {
        RefusalReason::Unreadable(reason) => format!("it can't be read: {reason}"),
        RefusalReason::Expired { now } => {
            format!("it expired: {}", describe_validity(certificate, *now))
        }
        RefusalReason::NotYetValid { now } => {
            format!(
                "it is not valid yet: {}",
                describe_validity(certificate, *now)
            )
        }
        RefusalReason::NameMismatch => format!(
            "it is not for {server_name}, but for {}",
            list_names(certificate)
        ),
        RefusalReason::CommonNameOnly => format!(
            "its common name is {server_name}, but it has no subject alternative name, which decides"
        ),
        RefusalReason::NoName => "it has no name to compare".to_owned(),
        RefusalReason::InvalidPurpose => "its key may not be used to serve TLS".to_owned(),
        RefusalReason::X509V1OnTls12 => {
            "it is of X.509 version 1, and the server speaks TLS 1.2".to_owned()
        }
        RefusalReason::X509V1NotPinned => {
            "it is of X.509 version 1, which serves TLS only where it is itself trusted".to_owned()
        }
        RefusalReason::SelfSignedNotPinned => {
            "it is self-signed, and another one than the certificate given".to_owned()
        }
        RefusalReason::BadSignature => {
            "its signature is not by the authority that is trusted: same name, another key"
                .to_owned()
        }
        RefusalReason::UnknownIssuer { missing } => format!(
            "nothing that is trusted leads to it: the certificate of {} is missing",
            subject_or_placeholder(missing)
        ),
        RefusalReason::IssuerOutsideValidity(issuer) => format!(
            "its authority {} is valid only from {} to {}",
            subject_or_placeholder(&issuer.subject),
            format_timestamp(issuer.not_before),
            format_timestamp(issuer.not_after)
        ),
        RefusalReason::CaUsedAsEndEntity => {
            "it is an authority's (CA:TRUE), which serves TLS only where it is itself trusted"
                .to_owned()
        }
        RefusalReason::WeakSignature => {
            "it is signed over SHA-1 or MD5, which can be forged".to_owned()
        }
        RefusalReason::WeakKey { bits } => {
            format!("its RSA key has {bits} bits, which can be broken")
        }
        RefusalReason::WeakIssuerSignature { issuer } => format!(
            "its authority {} is signed over SHA-1 or MD5, which can be forged",
            subject_or_placeholder(issuer)
        ),
        RefusalReason::WeakIssuerKey { issuer, bits } => format!(
            "its authority {} has an RSA key of {bits} bits, which can be broken",
            subject_or_placeholder(issuer)
        ),
        RefusalReason::Other(error) => error.to_string(),
    }
}

fn describe_validity(certificate: &CertificateInfo, now: i64) -> String {
    format!(
        "valid from {} to {}, now it is {}",
        format_timestamp(certificate.not_before),
        format_timestamp(certificate.not_after),
        format_timestamp(now)
    )
}

/// Returns the hint that names the option, or the change of the server, with which the certificate
/// would be accepted. Returns `None` if no such hint is known.
fn refusal_hint(
    reason: &RefusalReason,
    certificate: &CertificateInfo,
    trusted_subjects: &[DistinguishedName],
) -> Option<String> {
    Some(match reason {
        RefusalReason::Expired { .. } => "the server needs a new certificate".to_owned(),
        RefusalReason::NotYetValid { .. } => {
            "check this machine's clock; else the server needs a new certificate".to_owned()
        }
        RefusalReason::NameMismatch => match requestable_name(certificate) {
            Some(name) if name.contains('*') => {
                format!("--servername with a name that {name} stands for")
            }
            Some(name) => format!("--servername {name}"),
            None => "the server needs a certificate with its name".to_owned(),
        },
        RefusalReason::CommonNameOnly => "--allow-common-name accepts it".to_owned(),
        RefusalReason::X509V1OnTls12 => {
            "the server needs TLS 1.3, or a certificate of X.509 version 3".to_owned()
        }
        RefusalReason::NoName | RefusalReason::InvalidPurpose => {
            "the server needs a certificate made for a server with its name".to_owned()
        }
        RefusalReason::SelfSignedNotPinned | RefusalReason::BadSignature => {
            "--cacert with the server's present certificate, once you know it is the server's"
                .to_owned()
        }
        RefusalReason::UnknownIssuer { .. } if certificate.is_self_issued() => {
            "--cacert with the server's own certificate".to_owned()
        }
        RefusalReason::UnknownIssuer { missing }
            if trusted_subjects.contains(&certificate.issuer) =>
        {
            format!(
                "--cacert with the present certificate of {}",
                subject_or_placeholder(missing)
            )
        }
        RefusalReason::UnknownIssuer { missing } => format!(
            "--cacert with the certificate of {}, or let the server send it",
            subject_or_placeholder(missing)
        ),
        RefusalReason::IssuerOutsideValidity(_) => {
            "a new certificate of that authority is needed, here and in --cacert".to_owned()
        }
        RefusalReason::CaUsedAsEndEntity | RefusalReason::X509V1NotPinned => {
            "--cacert with this very certificate".to_owned()
        }
        RefusalReason::WeakSignature => {
            "the server needs a certificate signed over SHA-256 or better".to_owned()
        }
        RefusalReason::WeakKey { .. } => {
            "the server needs a certificate with an ECDSA P-256 key, or RSA of 2048 bits or more"
                .to_owned()
        }
        RefusalReason::WeakIssuerSignature { .. } | RefusalReason::WeakIssuerKey { .. } => {
            "the server needs a certificate of an authority that is not outdated".to_owned()
        }
        RefusalReason::Unreadable(_) | RefusalReason::Other(_) => return None,
    })
}

/// Returns the first name of the certificate that is not a wildcard, for `--servername`. If all
/// names are wildcards, returns the first wildcard. Returns `None` if the certificate has no name.
pub(super) fn requestable_name(certificate: &CertificateInfo) -> Option<&str> {
    let names = certificate.names();
    names
        .iter()
        .find(|name| !name.contains('*'))
        .or(names.first())
        .map(String::as_str)
}

fn list_names(certificate: &CertificateInfo) -> String {
    match certificate.names() {
        [] => "no name".to_owned(),
        names => names.join(", "),
    }
}

fn subject_or_placeholder(name: &DistinguishedName) -> String {
    let text = name.to_string();
    if text.is_empty() {
        "(no subject)".to_owned()
    } else {
        text
    }
}
