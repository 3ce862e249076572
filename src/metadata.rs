//! What requests carry beside their message (gRPC over HTTP/2, "Custom-Metadata").

use data_encoding::{BASE64, BASE64_NOPAD};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

/// Request metadata. Its values may be secrets: they are never shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata(HeaderMap);

/// Why a line is no metadata. It carries the name at most, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetadataError {
    /// No colon between a name and a value.
    NoColon,
    BadName,
    /// A name that belongs to gRPC or to HTTP/2 itself.
    Reserved(String),
    BadValue(String),
    NotBase64(String),
}

/// Names that HTTP/2 or gRPC sets itself (RFC 9113 section 8.2.2 for the connection's own).
const RESERVED: [&str; 10] = [
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
    /// Adds `name: value`. The value of a name that ends in `-bin` is base64, padded or not.
    pub(crate) fn add_line(&mut self, line: &str) -> Result<(), MetadataError> {
        if line.starts_with(':') {
            return Err(MetadataError::Reserved(":".to_owned()));
        }
        let (name, value) = line.split_once(':').ok_or(MetadataError::NoColon)?;
        self.add(name.trim(), value.trim())
    }

    /// Adds an OAuth 2.0 bearer token (RFC 6750 section 2.1).
    pub(crate) fn add_bearer(&mut self, token: &str) -> Result<(), MetadataError> {
        if token.is_empty() {
            return Err(MetadataError::BadValue("authorization".to_owned()));
        }
        self.add("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// What a server must not be quoted with: each value, the parts of it, such as a token behind
    /// its scheme, and what they are in base64.
    pub(crate) fn secrets(&self) -> Vec<String> {
        /// Shorter parts stand in every text.
        const SHORTEST: usize = 4;
        let mut secrets = Vec::new();
        for (name, value) in &self.0 {
            let Ok(value) = value.to_str() else { continue };
            secrets.push(value.to_owned());
            let parts = value
                .split_whitespace()
                .skip(usize::from(name == AUTHORIZATION));
            for part in parts {
                let bare = part.trim_end_matches('=');
                secrets.push(bare.to_owned());
                let decoded = BASE64_NOPAD.decode(bare.as_bytes()).ok();
                if let Some(Ok(text)) = decoded.map(String::from_utf8) {
                    // RFC 7617: a user and a password.
                    secrets.extend(text.split_once(':').map(|(_, word)| word.to_owned()));
                    secrets.push(text);
                }
            }
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        secrets
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.0
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), MetadataError> {
        let name = name.to_ascii_lowercase();
        if name.starts_with("grpc-") || RESERVED.contains(&name.as_str()) {
            return Err(MetadataError::Reserved(name));
        }
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| MetadataError::BadName)?;
        let bytes = if name.ends_with("-bin") {
            let value = value.as_bytes();
            let decoded = BASE64.decode(value).or_else(|_| BASE64_NOPAD.decode(value));
            let decoded = decoded.map_err(|_| MetadataError::NotBase64(name.clone()))?;
            BASE64_NOPAD.encode(&decoded).into_bytes()
        } else {
            value.as_bytes().to_vec()
        };
        // gRPC's "ASCII-Value": space to tilde.
        if !bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            return Err(MetadataError::BadValue(name));
        }
        let mut value =
            HeaderValue::from_bytes(&bytes).map_err(|_| MetadataError::BadValue(name))?;
        // Kept out of compression tables and of debug output.
        value.set_sensitive(true);
        self.0.append(header, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
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
        for (line, error) in [
            ("no colon", MetadataError::NoColon),
            (": x", MetadataError::Reserved(":".into())),
            (":path: /x", MetadataError::Reserved(":".into())),
            ("a b: x", MetadataError::BadName),
            (
                "grpc-timeout: 1S",
                MetadataError::Reserved("grpc-timeout".into()),
            ),
            ("TE: x", MetadataError::Reserved("te".into())),
            (
                "content-type: x",
                MetadataError::Reserved("content-type".into()),
            ),
            ("x: a\u{1b}", MetadataError::BadValue("x".into())),
            ("x: é", MetadataError::BadValue("x".into())),
            ("x-bin: !", MetadataError::NotBase64("x-bin".into())),
        ] {
            assert_eq!(Metadata::default().add_line(line), Err(error), "{line}");
        }
    }
}
