//! The name that a server must prove.

use std::net::IpAddr;

use rustls::pki_types::{DnsName, ServerName};

/// A server's name as it was asked for: a DNS name, an IP address, or a text that is neither (old
/// certificates have common names with spaces) and that only a common name can match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerName {
    text: String,
    parsed: Option<ServerName<'static>>,
    allows_common_name: bool,
}

impl PeerName {
    pub(crate) fn new(text: &str) -> Self {
        let parsed = match text.parse::<IpAddr>() {
            Ok(address) => Some(ServerName::IpAddress(address.into())),
            Err(_) => DnsName::try_from(text.to_owned())
                .ok()
                .map(ServerName::DnsName),
        };
        Self {
            text: text.to_owned(),
            parsed,
            allows_common_name: false,
        }
    }

    /// Whether an authority's certificate may prove the name by its common name, where it has no
    /// subject alternative name.
    pub(crate) fn allowing_common_name(mut self, allows: bool) -> Self {
        self.allows_common_name = allows;
        self
    }

    pub(super) fn allows_common_name(&self) -> bool {
        self.allows_common_name
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The name in TLS's terms, if it has any.
    pub(super) fn parsed(&self) -> Option<&ServerName<'static>> {
        self.parsed.as_ref()
    }

    /// What the TLS stack is told to connect to. Only a DNS name can be sent as SNI (RFC 6066
    /// section 3); for any other text it is given an address, with which it sends none.
    pub(super) fn for_handshake(&self) -> ServerName<'static> {
        self.parsed
            .clone()
            .unwrap_or(ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into()))
    }

    /// Whether a common name is this name: without case, with a `*` for one left-most label, and
    /// an IP address by value.
    pub(super) fn is_common_name(&self, common_name: &str) -> bool {
        if let Some(ServerName::IpAddress(address)) = &self.parsed {
            return common_name.parse() == Ok(IpAddr::from(*address));
        }
        let name = self.text.trim_end_matches('.');
        match common_name.strip_prefix("*.") {
            // As in an alternative name, a wildcard under a top-level domain alone is none.
            Some(parent) if parent.contains('.') => name
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && same(rest, parent)),
            Some(_) => false,
            None => same(name, common_name.trim_end_matches('.')),
        }
    }
}

fn same(left: &str, right: &str) -> bool {
    !left.is_empty() && left.eq_ignore_ascii_case(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names() {
        for (name, common_name, same) in [
            ("localhost", "LOCALHOST", true),
            ("license.example.com", "license.example.com", true),
            ("license.example.com.", "license.example.com", true),
            ("license.example.com", "*.example.com", true),
            ("a.license.example.com", "*.example.com", false),
            ("example.com", "*.example.com", false),
            ("example.com", "*.com", false),
            ("license.example.com", "example.com", false),
            ("license.example.com", "*", false),
            ("*.example.com", "a.example.com", false),
            ("Sensor Licence Server", "sensor licence server", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("::1", "0:0:0:0:0:0:0:1", true),
            ("127.0.0.1", "localhost", false),
            ("127.0.0.1", "*.0.0.1", false),
            ("localhost", "", false),
        ] {
            assert_eq!(
                PeerName::new(name).is_common_name(common_name),
                same,
                "{name} against {common_name}"
            );
        }
    }
}
