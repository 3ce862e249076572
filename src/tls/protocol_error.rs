//! [`TlsProtocolError`]: an error of rustls in words. The `Display` of rustls and webpki shows the
//! names of their variants.

use std::{fmt, io};

use rustls::{AlertDescription, Error};

#[derive(Clone, Debug)]
pub(crate) struct TlsProtocolError(pub(super) Error);

impl TlsProtocolError {
    pub(crate) fn from_io(error: &io::Error) -> Option<Self> {
        let error: &Error = error.get_ref()?.downcast_ref()?;
        Some(error.clone().into())
    }

    pub(crate) fn is_alert(&self) -> bool {
        matches!(self.0, Error::AlertReceived(_))
    }
}

impl From<Error> for TlsProtocolError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl std::error::Error for TlsProtocolError {}

impl fmt::Display for TlsProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::AlertReceived(AlertDescription::Unknown(number)) => {
                write!(f, "TLS alert {number}")
            }
            Error::AlertReceived(alert) => {
                write!(f, "TLS alert {} ({})", u8::from(*alert), words(alert))
            }
            Error::InvalidMessage(reason) => write!(f, "invalid TLS message: {}", words(reason)),
            Error::InappropriateMessage { got_type, .. } => {
                write!(f, "unexpected TLS message: {}", words(got_type))
            }
            Error::InappropriateHandshakeMessage { got_type, .. } => {
                write!(f, "unexpected TLS message: {}", words(got_type))
            }
            Error::PeerMisbehaved(reason) => {
                write!(f, "violation of the TLS protocol: {}", words(reason))
            }
            Error::PeerIncompatible(reason) => write!(f, "incompatible TLS: {}", words(reason)),
            Error::InvalidCertificate(reason) => {
                write!(f, "invalid certificate: {}", words(reason))
            }
            error => error.fmt(f),
        }
    }
}

/// Words that are not written in lower case, or not written as in rustls.
const SPELLINGS: [(&str, &str); 9] = [
    ("ca", "CA"),
    ("der", "DER"),
    ("dns", "DNS"),
    ("eku", "extendedKeyUsage"),
    ("kx", "key exchange"),
    ("psk", "PSK"),
    ("tls12", "TLS 1.2"),
    ("tls13", "TLS 1.3"),
    ("unrecognised", "unrecognized"),
];

/// Returns the name of a variant in words, without its fields: "unknown CA" for `UnknownCA`.
pub(super) fn words(variant: &impl fmt::Debug) -> String {
    let text = format!("{variant:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    let name = &text[..end.unwrap_or(text.len())];
    let name = name.strip_suffix("Context").unwrap_or(name);
    let mut words: Vec<String> = Vec::new();
    let mut previous = ' ';
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let ends_acronym = previous.is_uppercase() && rest.peek().is_some_and(|c| c.is_lowercase());
        let begins_word = c.is_uppercase() && (!previous.is_uppercase() || ends_acronym);
        match words.last_mut() {
            Some(word) if !begins_word => word.push(c.to_ascii_lowercase()),
            _ => words.push(c.to_ascii_lowercase().to_string()),
        }
        previous = c;
    }
    for word in &mut words {
        if let Some((_, spelling)) = SPELLINGS.iter().find(|(given, _)| given == word) {
            (*spelling).clone_into(word);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use rustls::{CertificateError, ContentType, InvalidMessage, PeerIncompatible, PeerMisbehaved};

    use super::*;

    #[test]
    fn writes_errors_of_rustls_in_words() {
        for (error, text) in [
            (
                Error::AlertReceived(AlertDescription::HandshakeFailure),
                "TLS alert 40 (handshake failure)",
            ),
            (
                Error::AlertReceived(AlertDescription::UnknownCA),
                "TLS alert 48 (unknown CA)",
            ),
            (
                Error::AlertReceived(AlertDescription::UnknownPSKIdentity),
                "TLS alert 115 (unknown PSK identity)",
            ),
            (
                Error::AlertReceived(AlertDescription::UnrecognisedName),
                "TLS alert 112 (unrecognized name)",
            ),
            (
                Error::AlertReceived(AlertDescription::Unknown(200)),
                "TLS alert 200",
            ),
            (
                InvalidMessage::InvalidContentType.into(),
                "invalid TLS message: invalid content type",
            ),
            (
                InvalidMessage::MissingData("field").into(),
                "invalid TLS message: missing data",
            ),
            (
                Error::InappropriateMessage {
                    expect_types: vec![ContentType::Handshake],
                    got_type: ContentType::ApplicationData,
                },
                "unexpected TLS message: application data",
            ),
            (
                PeerMisbehaved::SelectedUnofferedCipherSuite.into(),
                "violation of the TLS protocol: selected unoffered cipher suite",
            ),
            (
                PeerIncompatible::NoKxGroupsInCommon.into(),
                "incompatible TLS: no key exchange groups in common",
            ),
            (
                PeerIncompatible::Tls12NotOffered.into(),
                "incompatible TLS: TLS 1.2 not offered",
            ),
            (
                CertificateError::BadSignature.into(),
                "invalid certificate: bad signature",
            ),
            (
                Error::PeerSentOversizedRecord,
                "peer sent excess record size",
            ),
        ] {
            assert_eq!(TlsProtocolError(error).to_string(), text);
        }
        assert_eq!(words(&webpki::Error::BadDerTime), "bad DER time");
    }
}
