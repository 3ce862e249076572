//! Certificates and PEM files that were refused, in words.

use rustls::{AlertDescription, Error, PeerIncompatible};

use super::{Failure, Kind, OTHER, TLS, date};
use crate::tls::{Expected, Inspected, Name, PemError, PemProblem, Reason, Refusal, TlsError};

impl Failure {
    /// There can be no TLS configuration.
    pub(crate) fn tls_setup(error: TlsError) -> Self {
        match error {
            TlsError::Pem(error) => pem(&error),
            TlsError::NoSystemTrust { causes } => {
                let mut failure = Self::usage(
                    "the operating system has no trust store that can be read",
                )
                .hint("install its CA certificates, or name the ones to trust with --cacert");
                failure.causes = causes;
                failure
            }
            TlsError::Identity(error) => {
                Self::usage("the certificate and the key can't be used together")
                    .cause(error.to_string())
                    .hint("--cert and --key must belong to each other")
            }
            TlsError::Anchors(reason) => {
                Self::usage("a certificate can't be a trust anchor").cause(reason)
            }
            TlsError::SelfSigned(reason) => {
                Self::new(Kind::Internal, OTHER, "a certificate could not be made").cause(reason)
            }
            TlsError::Unsupported(error) => {
                Self::new(Kind::Internal, OTHER, "TLS can't be set up").cause(error.to_string())
            }
        }
    }

    /// A handshake that one side ended.
    pub(super) fn handshake(server: &str, error: &Error) -> Self {
        if let Some(refusal) = refusal(error) {
            return refused(server, refusal);
        }
        let failure = |message: String| Self::new(Kind::Tls, TLS, message);
        let failed =
            || failure(format!("the TLS handshake with {server} failed")).cause(error.to_string());
        match error {
            Error::InvalidMessage(_) => failure(format!("{server} does not speak TLS"))
                .cause(error.to_string())
                .hint("--plaintext, if the server is meant to speak no TLS; else check the port"),
            Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired => {
                    failure(format!("{server} demands a client certificate"))
                        .cause(error.to_string())
                        .hint("--cert PEM --key PEM")
                }
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied => {
                    failure(format!("{server} refused the client's certificate"))
                        .cause(error.to_string())
                        .hint("--cert PEM --key PEM with a certificate that the server trusts")
                }
                AlertDescription::UnrecognisedName => {
                    failure(format!("{server} does not know the name that was asked for"))
                        .cause(error.to_string())
                        .hint("--servername NAME with a name that the server has")
                }
                AlertDescription::NoApplicationProtocol => no_http2(server, None),
                AlertDescription::HandshakeFailure => failed().hint(
                    "the server may demand a client certificate (--cert, --key), or share no cipher with this program",
                ),
                AlertDescription::ProtocolVersion => {
                    failed().hint("the server must speak TLS 1.2 or 1.3")
                }
                _ => failed(),
            },
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => failed().hint("the server must speak TLS 1.2 or 1.3"),
            Error::InvalidCertificate(_) => {
                failure(format!("{server} does not hold the key of its certificate"))
                    .cause(error.to_string())
                    .hint("something else answers for the server, or it was given the wrong key")
            }
            _ => failed(),
        }
    }

    /// A server that agreed to another protocol than HTTP/2, or to none.
    pub(super) fn no_http2(server: &str, protocol: Option<&[u8]>) -> Self {
        no_http2(server, protocol)
    }
}

fn no_http2(server: &str, protocol: Option<&[u8]>) -> Failure {
    let chosen = match protocol {
        Some(protocol) => format!("chose {}", String::from_utf8_lossy(protocol)),
        None => "chose no application protocol".to_owned(),
    };
    Failure::new(
        Kind::Tls,
        TLS,
        format!("{server} speaks TLS but not HTTP/2"),
    )
    .cause(format!("of the protocols offered (ALPN: h2) it {chosen}"))
    .hint("check the port: gRPC needs HTTP/2, and a proxy before the server must offer h2")
}

fn refusal(error: &Error) -> Option<&Refusal> {
    match error {
        Error::InvalidCertificate(rustls::CertificateError::Other(other)) => other.0.downcast_ref(),
        _ => None,
    }
}

fn refused(server: &str, refusal: &Refusal) -> Failure {
    let Refusal {
        reason,
        name,
        certificate,
        anchors,
    } = refusal;
    let failure = Failure::new(
        Kind::Tls,
        TLS,
        format!("the certificate of {server} was refused"),
    );
    let Some(certificate) = certificate else {
        let reason = match reason {
            Reason::Unreadable(reason) => reason.as_str(),
            _ => "",
        };
        return failure.cause(format!("it can't be read: {reason}"));
    };
    let failure = failure.cause(why(reason, name, certificate)).cause(format!(
        "it is the certificate {}, issued by {}, for {}",
        subject(&certificate.subject),
        subject(&certificate.issuer),
        names(certificate)
    ));
    match hint(reason, certificate, anchors) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn why(reason: &Reason, name: &str, certificate: &Inspected) -> String {
    match reason {
        Reason::Unreadable(reason) => format!("it can't be read: {reason}"),
        Reason::Expired { now } => format!(
            "it expired: valid from {} to {}, now it is {}",
            date(certificate.not_before),
            date(certificate.not_after),
            date(*now)
        ),
        Reason::NotYetValid { now } => format!(
            "it is not valid yet: valid from {} to {}, now it is {}",
            date(certificate.not_before),
            date(certificate.not_after),
            date(*now)
        ),
        Reason::WrongName => format!("it is not for {name}, but for {}", names(certificate)),
        Reason::CommonNameOnly => format!(
            "its common name is {name}, but it has no subject alternative name, which decides"
        ),
        Reason::NoName => "it has no name to compare".to_owned(),
        Reason::Purpose => "its key may not be used to serve TLS".to_owned(),
        Reason::Version1 => "it is of X.509 version 1, and the server speaks TLS 1.2".to_owned(),
        Reason::Version1Issued => {
            "it is of X.509 version 1, which serves TLS only where it is itself trusted".to_owned()
        }
        Reason::NotTheGivenOne => {
            "it is self-signed, and another one than the certificate given".to_owned()
        }
        Reason::BadSignature => {
            "its signature is not by the authority that is trusted: same name, another key"
                .to_owned()
        }
        Reason::UnknownIssuer { missing } => format!(
            "nothing that is trusted leads to it: the certificate of {} is missing",
            subject(missing)
        ),
        Reason::AnchorDates(issuer) => format!(
            "its authority {} is valid only from {} to {}",
            subject(&issuer.subject),
            date(issuer.not_before),
            date(issuer.not_after)
        ),
        Reason::AuthorityAsServer => {
            "it is an authority's (CA:TRUE), which serves TLS only where it is itself trusted"
                .to_owned()
        }
        Reason::WeakSignature => "it is signed over SHA-1 or MD5, which can be forged".to_owned(),
        Reason::WeakKey { bits } => format!("its RSA key has {bits} bits, which can be broken"),
        Reason::WeakIssuerSignature { issuer } => format!(
            "its authority {} is signed over SHA-1 or MD5, which can be forged",
            subject(issuer)
        ),
        Reason::WeakIssuerKey { issuer, bits } => format!(
            "its authority {} has an RSA key of {bits} bits, which can be broken",
            subject(issuer)
        ),
        Reason::Other(error) => error.to_string(),
    }
}

fn hint(reason: &Reason, certificate: &Inspected, anchors: &[Name]) -> Option<String> {
    Some(match reason {
        Reason::Expired { .. } => "the server needs a new certificate".to_owned(),
        Reason::NotYetValid { .. } => {
            "check this machine's clock; else the server needs a new certificate".to_owned()
        }
        Reason::WrongName => match usable_name(certificate) {
            Some(name) if name.contains('*') => {
                format!("--servername with a name that {name} stands for")
            }
            Some(name) => format!("--servername {name}"),
            None => "the server needs a certificate with its name".to_owned(),
        },
        Reason::CommonNameOnly => "--allow-common-name accepts it".to_owned(),
        Reason::Version1 => {
            "the server needs TLS 1.3, or a certificate of X.509 version 3".to_owned()
        }
        Reason::NoName | Reason::Purpose => {
            "the server needs a certificate made for a server with its name".to_owned()
        }
        Reason::NotTheGivenOne | Reason::BadSignature => {
            "--cacert with the server's present certificate, once you know it is the server's"
                .to_owned()
        }
        Reason::UnknownIssuer { .. } if certificate.is_self_issued() => {
            "--cacert with the server's own certificate".to_owned()
        }
        Reason::UnknownIssuer { missing } if anchors.contains(&certificate.issuer) => {
            format!(
                "--cacert with the present certificate of {}",
                subject(missing)
            )
        }
        Reason::UnknownIssuer { missing } => format!(
            "--cacert with the certificate of {}, or let the server send it",
            subject(missing)
        ),
        Reason::AnchorDates(_) => {
            "a new certificate of that authority is needed, here and in --cacert".to_owned()
        }
        Reason::AuthorityAsServer | Reason::Version1Issued => {
            "--cacert with this very certificate".to_owned()
        }
        Reason::WeakSignature => {
            "the server needs a certificate signed over SHA-256 or better".to_owned()
        }
        Reason::WeakKey { .. } => {
            "the server needs a certificate with an ECDSA P-256 key, or RSA of 2048 bits or more"
                .to_owned()
        }
        Reason::WeakIssuerSignature { .. } | Reason::WeakIssuerKey { .. } => {
            "the server needs a certificate of an authority that is not outdated".to_owned()
        }
        Reason::Unreadable(_) | Reason::Other(_) => return None,
    })
}

/// A name of the certificate that can be asked for: no wildcard if there is another.
pub(super) fn usable_name(certificate: &Inspected) -> Option<&str> {
    let names = certificate.names();
    names
        .iter()
        .find(|name| !name.contains('*'))
        .or(names.first())
        .map(String::as_str)
}

fn names(certificate: &Inspected) -> String {
    match certificate.names() {
        [] => "no name".to_owned(),
        names => names.join(", "),
    }
}

fn subject(name: &Name) -> String {
    let text = name.to_string();
    if text.is_empty() {
        "(no subject)".to_owned()
    } else {
        text
    }
}

fn pem(error: &PemError) -> Failure {
    let what = match error.expected {
        Expected::Certificate => "a certificate",
        Expected::PrivateKey => "a private key",
    };
    let failure = Failure::usage(format!(
        "{} is no PEM file with {what}",
        error.file.display()
    ));
    let (holds, hint) = match &error.problem {
        PemProblem::Unreadable(error) => (format!("it can't be read: {error}"), None),
        PemProblem::TooLarge => ("it is larger than any such file".to_owned(), None),
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
        PemProblem::BadBegin { line } => (
            format!("its -----BEGIN in line {line} does not stand alone in its line"),
            Some("the file may have lost its line ends: write it as it was made"),
        ),
        PemProblem::Label(label) => (
            format!("it holds {label}, which is not the same as CERTIFICATE"),
            Some("openssl x509 -in FILE -out FILE.pem converts it"),
        ),
        PemProblem::Missing { found } if found.is_empty() => {
            ("it holds no PEM block".to_owned(), None)
        }
        PemProblem::Missing { found } => (format!("it holds {}", found.join(", ")), None),
        PemProblem::BadBlock {
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
        PemProblem::SeveralKeys => ("it holds more than one private key".to_owned(), None),
    };
    let failure = failure.cause(holds);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
