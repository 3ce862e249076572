//! [`Endpoint`]: the address of a server, parsed from `--server`.

use std::{
    ffi::OsString,
    fmt,
    net::Ipv6Addr,
    os::unix::net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::user_path::{UserPath, describe_value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tcp(Address),
    Unix(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("path of the socket is missing (example: unix:/run/license.sock)")]
    MissingSocket,
    #[error("path of the socket is longer than the operating system allows")]
    SocketPathTooLong,
    #[error("port is missing (example: localhost:9102)")]
    MissingPort,
    #[error("port is not a number from 1 to 65535 (examples: localhost:9102, [::1]:9102)")]
    InvalidPort,
    #[error("invalid host (examples: localhost:9102, [::1]:9102)")]
    InvalidHost,
    #[error(
        "unsupported URL scheme (examples: https://localhost:9102, localhost:9102 with --plaintext)"
    )]
    UnsupportedScheme,
    #[error("expected HOST:PORT, found a path (\"{}\")", describe_value(.0))]
    UnexpectedPath(String),
    #[error("expected HOST:PORT, found a query or a fragment (\"?\" or \"#\")")]
    UnexpectedQuery,
    #[error(
        "credentials in the server URL are not supported; pass --header or --bearer-token-file"
    )]
    Credentials,
}

const HTTPS_PORT: u16 = 443;

impl Endpoint {
    /// Parses `HOST:PORT`, `[IPV6]:PORT`, `https://HOST[:PORT]` or `unix:PATH`.
    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(EndpointError::MissingSocket),
                path if SocketAddr::from_pathname(path).is_err() => {
                    Err(EndpointError::SocketPathTooLong)
                }
                path => Ok(Self::Unix(path.into())),
            };
        }
        let (address, default_port) = match text.split_once("://") {
            None => (text, None),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => {
                (rest.strip_suffix('/').unwrap_or(rest), Some(HTTPS_PORT))
            }
            Some(_) => return Err(EndpointError::UnsupportedScheme),
        };
        if address.contains('@') {
            return Err(EndpointError::Credentials);
        }
        // A query may hold a secret, so only the path is shown.
        let address_and_path = address.split(['?', '#']).next().unwrap_or_default();
        if let Some(start) = address_and_path.find('/') {
            let path = address_and_path[start..].to_owned();
            return Err(EndpointError::UnexpectedPath(path));
        }
        if address_and_path != address {
            return Err(EndpointError::UnexpectedQuery);
        }
        Address::parse(address, default_port).map(Self::Tcp)
    }

    /// Returns the default server name for TLS.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Tcp(address) => &address.host,
            Self::Unix(_) => "localhost",
        }
    }

    /// Returns the default HTTP/2 `:authority`, with brackets around an IPv6 address.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(_) => self.host().to_owned(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => {
                // A URL that was given by mistake may hold a password.
                let mut url = OsString::from("unix:");
                url.push(path);
                UserPath::from(Path::new(&url)).fmt(f)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address (IPv6 without brackets).
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// The port is required if there is no default.
    pub(crate) fn parse(address: &str, default_port: Option<u16>) -> Result<Self, EndpointError> {
        let bracketed = address
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
            _ => address.split_at(address.find(':').unwrap_or(address.len())),
        };
        let is_invalid =
            |c: char| c.is_whitespace() || c.is_control() || "[]\"\\<>%^`{|}".contains(c);
        if host.is_empty() || host.contains(is_invalid) {
            return Err(EndpointError::InvalidHost);
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => default_port.ok_or(EndpointError::MissingPort)?,
            // The integer parser would also accept a sign.
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                let port = port.parse().ok().filter(|port| *port != 0);
                port.ok_or(EndpointError::InvalidPort)?
            }
            _ => return Err(EndpointError::InvalidPort),
        };
        let host = host.to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            host if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_each_form_of_address() {
        for (text, host, authority) in [
            ("localhost:9102", "localhost", "localhost:9102"),
            ("10.0.0.1:1", "10.0.0.1", "10.0.0.1:1"),
            ("[::1]:9102", "::1", "[::1]:9102"),
            ("https://example.com", "example.com", "example.com:443"),
            ("HTTPS://example.com/", "example.com", "example.com:443"),
            ("https://[::1]:8443", "::1", "[::1]:8443"),
            ("unix:/run/s.sock", "localhost", "localhost"),
        ] {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!(endpoint.host(), host, "{text}");
            assert_eq!(endpoint.authority(), authority, "{text}");
        }
        assert_eq!(
            Endpoint::parse("unix:///run/s.sock"),
            Ok(Endpoint::Unix("///run/s.sock".into()))
        );
        assert_eq!(
            Endpoint::parse("unix:s.sock"),
            Ok(Endpoint::Unix("s.sock".into()))
        );
    }

    #[test]
    fn rejects_invalid_addresses() {
        let too_long = format!("unix:/{}", "x".repeat(108));
        for (text, error) in [
            ("", EndpointError::InvalidHost),
            ("localhost", EndpointError::MissingPort),
            ("localhost:", EndpointError::InvalidPort),
            ("localhost:0", EndpointError::InvalidPort),
            ("localhost:65536", EndpointError::InvalidPort),
            ("localhost:+1", EndpointError::InvalidPort),
            ("localhost:http", EndpointError::InvalidPort),
            (":9102", EndpointError::InvalidHost),
            ("unix:", EndpointError::MissingSocket),
            (&too_long, EndpointError::SocketPathTooLong),
            ("::1:9102", EndpointError::InvalidHost),
            ("fe80::1:9102", EndpointError::InvalidPort),
            ("[::1]", EndpointError::MissingPort),
            ("[::1", EndpointError::InvalidHost),
            ("[::1]9102", EndpointError::InvalidPort),
            ("[host]:1", EndpointError::InvalidHost),
            ("a b:1", EndpointError::InvalidHost),
            ("a%b:1", EndpointError::InvalidHost),
            ("{host}:1", EndpointError::InvalidHost),
            ("http://localhost:80", EndpointError::UnsupportedScheme),
            ("dns:///localhost:80", EndpointError::UnsupportedScheme),
            (
                "https://localhost/path",
                EndpointError::UnexpectedPath("/path".into()),
            ),
            (
                "localhost:1/p?x",
                EndpointError::UnexpectedPath("/p".into()),
            ),
            ("localhost:1?x", EndpointError::UnexpectedQuery),
            ("localhost:1?x/y", EndpointError::UnexpectedQuery),
            ("https://localhost#x", EndpointError::UnexpectedQuery),
            ("https://user:a/b@localhost", EndpointError::Credentials),
        ] {
            assert_eq!(Endpoint::parse(text), Err(error), "{text}");
        }
    }
}
