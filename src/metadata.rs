//! [`Metadata`]: the custom request headers from `--header` and `--bearer-token-file`.

use data_encoding::{BASE64, BASE64_NOPAD};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::user_path::UserPath;

/// The custom request headers (gRPC over HTTP/2, "Custom-Metadata"). `Debug` masks the values,
/// which may be secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata(HeaderMap);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderSource {
    /// `NAME: VALUE`
    Line(String),
    /// A file with one `NAME: VALUE` per line.
    File(UserPath),
}

impl From<String> for HeaderSource {
    fn from(text: String) -> Self {
        match text.strip_prefix('@') {
            Some(file) => Self::File(UserPath::of_secret(file.into())),
            None => Self::Line(text),
        }
    }
}

/// The strings are header names, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MetadataError {
    #[error("expected NAME: VALUE, found no colon")]
    MissingColon,
    #[error("invalid header name")]
    InvalidName,
    #[error("header \"{0}\" is set by gRPC or HTTP/2")]
    ReservedName(String),
    #[error("value of header \"{0}\" contains a character that is not printable ASCII")]
    InvalidValue(String),
    #[error("value of header \"{0}\" is not base64")]
    InvalidBase64(String),
    #[error("file starts with a byte order mark")]
    ByteOrderMark,
    #[error("bearer token is empty")]
    EmptyToken,
    #[error("expected one line with a bearer token, found {0} lines")]
    MultilineToken(usize),
    #[error("expected only the bearer token, found \"Bearer\" before it")]
    SchemeBeforeToken,
    #[error("bearer token contains white space")]
    SpaceInToken,
    #[error("bearer token contains a character that is not printable ASCII")]
    InvalidToken,
}

/// The names of the headers that only gRPC or HTTP/2 may set (RFC 9113 section 8.2.2). Names that
/// begin with `grpc-` are also reserved.
const RESERVED_NAMES: [&str; 10] = [
    "te",
    "content-type",
    "content-length",
    "host",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

impl Metadata {
    /// If the name ends in `-bin`, the value must be Base64, with or without padding.
    pub(crate) fn add_line(&mut self, line: &str) -> Result<(), MetadataError> {
        refuse_byte_order_mark(line)?;
        // The name of a pseudo-header starts with a colon, such as `:path`.
        let (name, value) = match line.strip_prefix(':') {
            Some(rest) if rest.contains(':') => {
                return Err(MetadataError::ReservedName(":".to_owned()));
            }
            _ => line.split_once(':').ok_or(MetadataError::MissingColon)?,
        };
        self.add(name.trim(), value.trim())
    }

    /// Adds an `authorization` header with an OAuth 2.0 bearer token (RFC 6750 section 2.1).
    /// `text` is the content of a file, whose final line break is no part of the token.
    pub(crate) fn add_bearer_token(&mut self, text: &str) -> Result<(), MetadataError> {
        refuse_byte_order_mark(text)?;
        if text.trim().is_empty() {
            return Err(MetadataError::EmptyToken);
        }
        let mut lines = text.lines();
        let token = lines.next().unwrap_or_default();
        match lines.count() {
            0 if has_bearer_scheme(token) => Err(MetadataError::SchemeBeforeToken),
            0 if token.contains(char::is_whitespace) => Err(MetadataError::SpaceInToken),
            0 => self
                .add("authorization", &format!("Bearer {token}"))
                .map_err(|_| MetadataError::InvalidToken),
            more => Err(MetadataError::MultilineToken(1 + more)),
        }
    }

    /// Returns the strings to mask when a message quotes the server: each value, each word of a
    /// value, the text of each Base64 word, and the password in a decoded `USER:PASSWORD`.
    pub(crate) fn secrets(&self) -> Vec<String> {
        /// In bytes. Shorter strings also occur in ordinary text, which must stay readable.
        const MIN_SECRET_BYTES: usize = 4;
        let mut secrets = Vec::new();
        for (name, value) in &self.0 {
            let Ok(value) = value.to_str() else { continue };
            secrets.push(value.to_owned());
            // The first word of `authorization` is the scheme (such as `Bearer`), which is public.
            let words = value
                .split_whitespace()
                .skip(usize::from(name == AUTHORIZATION));
            for word in words {
                let unpadded = word.trim_end_matches('=');
                secrets.push(unpadded.to_owned());
                let decoded = BASE64_NOPAD.decode(unpadded.as_bytes()).ok();
                if let Some(Ok(text)) = decoded.map(String::from_utf8) {
                    // Basic authentication encodes `USER:PASSWORD` in Base64 (RFC 7617).
                    secrets.extend(
                        text.split_once(':')
                            .map(|(_, password)| password.to_owned()),
                    );
                    secrets.push(text);
                }
            }
        }
        secrets.retain(|secret| secret.len() >= MIN_SECRET_BYTES);
        secrets
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.0
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), MetadataError> {
        let name = name.to_ascii_lowercase();
        if name.starts_with("grpc-") || RESERVED_NAMES.contains(&name.as_str()) {
            return Err(MetadataError::ReservedName(name));
        }
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| MetadataError::InvalidName)?;
        let bytes = if name.ends_with("-bin") {
            let value = value.as_bytes();
            let decoded = BASE64.decode(value).or_else(|_| BASE64_NOPAD.decode(value));
            let decoded = decoded.map_err(|_| MetadataError::InvalidBase64(name.clone()))?;
            BASE64_NOPAD.encode(&decoded).into_bytes()
        } else {
            value.as_bytes().to_vec()
        };
        // gRPC allows only the bytes 0x20 to 0x7e in a value ("ASCII-Value").
        if !bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            return Err(MetadataError::InvalidValue(name));
        }
        let mut value =
            HeaderValue::from_bytes(&bytes).map_err(|_| MetadataError::InvalidValue(name))?;
        // Sensitive values stay out of HPACK compression tables and of `Debug` output.
        value.set_sensitive(true);
        self.0.append(header, value);
        Ok(())
    }
}

fn has_bearer_scheme(token: &str) -> bool {
    let mut words = token.split_whitespace();
    let is_scheme = |word: &str| word.eq_ignore_ascii_case("bearer");
    words.next().is_some_and(is_scheme) && words.next().is_some()
}

fn refuse_byte_order_mark(text: &str) -> Result<(), MetadataError> {
    if text.starts_with('\u{feff}') {
        return Err(MetadataError::ByteOrderMark);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_header_lines_and_masks_values() {
        let mut metadata = Metadata::default();
        for line in [
            "x-tenant: north",
            "X-Tenant:south",
            "trace-bin: AP8=",
            "empty:",
        ] {
            metadata.add_line(line).expect(line);
        }
        let all = |name: &str| -> Vec<_> { metadata.0.get_all(name).iter().cloned().collect() };
        assert_eq!(all("x-tenant"), ["north", "south"]);
        assert_eq!(all("trace-bin"), ["AP8"]);
        assert_eq!(all("empty"), [""]);
        assert!(!format!("{metadata:?}").contains("north"));
    }

    #[test]
    fn rejects_invalid_header_lines() {
        for (line, error) in [
            ("no colon", MetadataError::MissingColon),
            (": x", MetadataError::InvalidName),
            (":path: /x", MetadataError::ReservedName(":".into())),
            ("a b: x", MetadataError::InvalidName),
            (
                "grpc-timeout: 1S",
                MetadataError::ReservedName("grpc-timeout".into()),
            ),
            ("TE: x", MetadataError::ReservedName("te".into())),
            (
                "content-type: x",
                MetadataError::ReservedName("content-type".into()),
            ),
            ("x: a\u{1b}", MetadataError::InvalidValue("x".into())),
            ("x: é", MetadataError::InvalidValue("x".into())),
            ("x-bin: !", MetadataError::InvalidBase64("x-bin".into())),
        ] {
            assert_eq!(Metadata::default().add_line(line), Err(error), "{line}");
        }
    }
}
