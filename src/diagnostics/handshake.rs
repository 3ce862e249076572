//! TLS handshake failures. Refused server certificates are in [`super::certificate`].

use rustls::{AlertDescription, Error, PeerIncompatible};

use super::{
    certificate::{certificate_refused, refusal_of},
    failure::Failure,
};

const NEED_TLS_VERSION: &str = "the server must speak TLS 1.2 or 1.3";

/// Returns the failure for a TLS handshake that failed.
pub(super) fn handshake_failed(server: &str, error: &Error) -> Failure {
    if let Some(refusal) = refusal_of(error) {
        return certificate_refused(server, refusal);
    }
    match error {
        Error::InvalidMessage(_) => Failure::tls(format!("{server} does not speak TLS"))
            .with_cause(error.to_string())
            .with_hint("--plaintext, if the server is meant to speak no TLS; else check the port"),
        Error::AlertReceived(alert) => alert_received(server, *alert, error),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => unexplained_failure(server, error).with_hint(NEED_TLS_VERSION),
        Error::InvalidCertificate(_) => {
            Failure::tls(format!("{server} does not hold the key of its certificate"))
                .with_cause(error.to_string())
                .with_hint("something else answers for the server, or it was given the wrong key")
        }
        _ => unexplained_failure(server, error),
    }
}

/// Returns the failure for a TLS handshake that the server ended with an alert (RFC 8446
/// section 6).
fn alert_received(server: &str, alert: AlertDescription, error: &Error) -> Failure {
    match alert {
        AlertDescription::CertificateRequired => {
            Failure::tls(format!("{server} demands a client certificate"))
                .with_cause(error.to_string())
                .with_hint("--cert PEM --key PEM")
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            Failure::tls(format!("{server} refused the client's certificate"))
                .with_cause(error.to_string())
                .with_hint("--cert PEM --key PEM with a certificate that the server trusts")
        }
        AlertDescription::UnrecognisedName => {
            Failure::tls(format!("{server} does not know the name that was asked for"))
                .with_cause(error.to_string())
                .with_hint("--servername NAME with a name that the server has")
        }
        AlertDescription::NoApplicationProtocol => alpn_failed(server, None),
        AlertDescription::HandshakeFailure => unexplained_failure(server, error).with_hint(
            "the server may demand a client certificate (--cert, --key), or share no cipher with this program",
        ),
        AlertDescription::ProtocolVersion => {
            unexplained_failure(server, error).with_hint(NEED_TLS_VERSION)
        }
        _ => unexplained_failure(server, error),
    }
}

fn unexplained_failure(server: &str, error: &Error) -> Failure {
    Failure::tls(format!("the TLS handshake with {server} failed")).with_cause(error.to_string())
}

/// Returns the failure for a server that did not select HTTP/2 by ALPN. `protocol` is the protocol
/// that the server selected, or `None` if it selected none.
pub(super) fn alpn_failed(server: &str, protocol: Option<&[u8]>) -> Failure {
    let chosen = match protocol {
        Some(protocol) => format!("chose {}", String::from_utf8_lossy(protocol)),
        None => "chose no application protocol".to_owned(),
    };
    Failure::tls(format!("{server} speaks TLS but not HTTP/2"))
        .with_cause(format!("of the protocols offered (ALPN: h2) it {chosen}"))
        .with_hint("check the port: gRPC needs HTTP/2, and a proxy before the server must offer h2")
}
