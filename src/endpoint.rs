//! Where the server is.

use std::path::PathBuf;

/// The address of a server, as `--server` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A host name or an IP address (IPv6 without brackets), and a port.
    Tcp { host: String, port: u16 },
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// Why a text is no address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointError {
    Empty,
    NoHost,
    NoPort,
    BadPort,
    BadHost,
    /// A scheme other than `https://`.
    Scheme,
    /// Something behind `https://host:port`.
    Path,
    /// More than one colon, and no brackets.
    BareIpv6,
}

/// The port of `https://host`.
const HTTPS_PORT: u16 = 443;

impl Endpoint {
    /// Reads `HOST:PORT`, `[IPV6]:PORT`, `https://HOST[:PORT]` or `unix:PATH`.
    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() {
            return Err(EndpointError::Empty);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            // The gRPC naming document also writes absolute paths as `unix:///path`.
            let path = path
                .strip_prefix("//")
                .filter(|path| path.starts_with('/'))
                .unwrap_or(path);
            return match path {
                "" => Err(EndpointError::NoHost),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let (address, default_port) = match text.split_once("://") {
            None => (text, None),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => {
                (rest.strip_suffix('/').unwrap_or(rest), Some(HTTPS_PORT))
            }
            Some(_) => return Err(EndpointError::Scheme),
        };
        if address.contains(['/', '?', '#', '@']) {
            return Err(EndpointError::Path);
        }
        let (host, port) = split_port(address)?;
        let port = match port {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().map_err(|_| EndpointError::BadPort)?
            }
            Some(_) => return Err(EndpointError::BadPort),
            None => default_port.ok_or(EndpointError::NoPort)?,
        };
        if port == 0 {
            return Err(EndpointError::BadPort);
        }
        Ok(Self::Tcp { host, port })
    }

    /// The name to verify and to ask for when nothing else is given: the host, and `localhost`
    /// for a Unix domain socket.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Tcp { host, .. } => host,
            Self::Unix(_) => "localhost",
        }
    }

    /// `host:port` with brackets around an IPv6 address, or `localhost`: the HTTP/2 `:authority`
    /// when no other is given.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
            Self::Unix(_) => self.host().to_owned(),
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { .. } => f.write_str(&self.authority()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The host without brackets, and the text behind its colon.
fn split_port(address: &str) -> Result<(String, Option<&str>), EndpointError> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(EndpointError::BadHost)?;
        host.parse::<std::net::Ipv6Addr>()
            .map_err(|_| EndpointError::BadHost)?;
        match rest {
            "" => (host, None),
            rest => match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return Err(EndpointError::BadPort),
            },
        }
    } else {
        match address.split_once(':') {
            None => (address, None),
            Some((_, port)) if port.contains(':') => return Err(EndpointError::BareIpv6),
            Some((host, port)) => (host, Some(port)),
        }
    };
    if host.is_empty() {
        return Err(EndpointError::NoHost);
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "[]\"\\<>".contains(c)) {
        return Err(EndpointError::BadHost);
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accepted_forms_and_their_authority() {
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
            Ok(Endpoint::Unix("/run/s.sock".into()))
        );
        assert_eq!(
            Endpoint::parse("unix:s.sock"),
            Ok(Endpoint::Unix("s.sock".into()))
        );
    }

    #[test]
    fn the_refused_forms() {
        for (text, error) in [
            ("", EndpointError::Empty),
            ("localhost", EndpointError::NoPort),
            ("localhost:", EndpointError::BadPort),
            ("localhost:0", EndpointError::BadPort),
            ("localhost:65536", EndpointError::BadPort),
            ("localhost:+1", EndpointError::BadPort),
            ("localhost:http", EndpointError::BadPort),
            (":9102", EndpointError::NoHost),
            ("unix:", EndpointError::NoHost),
            ("::1:9102", EndpointError::BareIpv6),
            ("[::1]", EndpointError::NoPort),
            ("[::1", EndpointError::BadHost),
            ("[::1]9102", EndpointError::BadPort),
            ("[host]:1", EndpointError::BadHost),
            ("a b:1", EndpointError::BadHost),
            ("http://localhost:80", EndpointError::Scheme),
            ("dns:///localhost:80", EndpointError::Scheme),
            ("https://localhost/path", EndpointError::Path),
            ("https://user@localhost", EndpointError::Path),
        ] {
            assert_eq!(Endpoint::parse(text), Err(error), "{text}");
        }
    }
}
