//! [`PeerName`]: the name that a server's certificate must prove.

use std::net::IpAddr;

use rustls::pki_types::{DnsName, ServerName};

/// The name of a server as the user wrote it: a DNS name, an IP address, or any other string.
///
/// A string that is neither a DNS name nor an IP address can match only a common name. Some old
/// certificates have a common name with spaces, for example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerName {
    pub(super) text: String,
    /// The DNS name or IP address, or `None` for any other string.
    pub(super) parsed: Option<ServerName<'static>>,
    /// Whether the common name of a CA-issued certificate may prove the server name if the
    /// certificate has no subject alternative name.
    pub(crate) allows_common_name: bool,
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

    pub(super) fn is_address(&self) -> bool {
        matches!(self.parsed, Some(ServerName::IpAddress(_)))
    }

    /// Returns the name to pass to rustls. SNI can hold only a DNS name (RFC 6066 section 3). A
    /// string that is neither a DNS name nor an IP address is replaced by the IP address 0.0.0.0,
    /// because rustls sends no SNI for IP addresses.
    pub(super) fn for_handshake(&self) -> ServerName<'static> {
        self.parsed
            .clone()
            .unwrap_or(ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into()))
    }

    /// Returns whether the common name of a certificate matches the server name. The comparison
    /// ignores case, accepts `*` as the leftmost label, and compares IP addresses by value.
    pub(super) fn matches_common_name(&self, common_name: &str) -> bool {
        if let Some(ServerName::IpAddress(address)) = &self.parsed {
            return common_name.parse() == Ok(IpAddr::from(*address));
        }
        let name = self.text.trim_end_matches('.');
        match common_name.strip_prefix("*.") {
            // A wildcard for a top-level domain (`*.TLD`) matches nothing. rustls does not accept
            // such a wildcard in a subject alternative name either.
            Some(parent) if parent.contains('.') => name
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && is_same_name(rest, parent)),
            Some(_) => false,
            None => is_same_name(name, common_name.trim_end_matches('.')),
        }
    }
}

fn is_same_name(left: &str, right: &str) -> bool {
    !left.is_empty() && left.eq_ignore_ascii_case(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_common_names() {
        for (name, common_name, expected) in [
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
            ("Sensor License Server", "sensor license server", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("::1", "0:0:0:0:0:0:0:1", true),
            ("127.0.0.1", "localhost", false),
            ("127.0.0.1", "*.0.0.1", false),
            ("localhost", "", false),
        ] {
            assert_eq!(
                PeerName::new(name).matches_common_name(common_name),
                expected,
                "{name} against {common_name}"
            );
        }
    }
}
