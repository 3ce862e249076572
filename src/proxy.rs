//! HTTP proxies: which one stands before a server, and how it is named.

use std::{fmt, net::IpAddr};

use http::{HeaderValue, Uri, uri::Scheme};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::endpoint::Endpoint;

/// A proxy that takes HTTP CONNECT (RFC 9110 section 9.3.6). Its credentials are never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
}

/// Why a text names no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyError {
    /// No URL, or one without a host.
    NoUrl,
    /// A proxy that is spoken to in something else than plain HTTP.
    Scheme,
}

/// What the flag and the environment say of proxies.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    /// `--proxy`.
    pub(crate) flag: Option<String>,
    /// The variable that names one, and its value.
    pub(crate) environment: Option<(&'static str, String)>,
    /// Hosts, domains and networks that are reached without any (`NO_PROXY`).
    pub(crate) exceptions: String,
}

/// The port of `http://host`.
const HTTP_PORT: u16 = 80;

impl Proxy {
    /// Reads `[http://][user:password@]HOST[:PORT]`.
    pub(crate) fn parse(url: &str) -> Result<Self, ProxyError> {
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
        let behind = authority.find(['/', '?', '#']).map(|at| &authority[at..]);
        // A password with one of these in it would end there, and its start would be the host.
        if !matches!(behind, None | Some("/")) {
            return Err(ProxyError::NoUrl);
        }
        let proxy = Matcher::builder()
            .all(url)
            .build()
            .intercept(&Uri::from_static("https://any.invalid"));
        match proxy {
            Some(proxy) => Self::from_intercept(&proxy),
            None if url.contains("://") && !url.starts_with("http://") => Err(ProxyError::Scheme),
            None => Err(ProxyError::NoUrl),
        }
    }

    fn from_intercept(proxy: &Intercept) -> Result<Self, ProxyError> {
        if proxy.uri().scheme() != Some(&Scheme::HTTP) {
            return Err(ProxyError::Scheme);
        }
        let host = proxy.uri().host().filter(|host| !host.is_empty());
        let host = host.ok_or(ProxyError::NoUrl)?;
        let authority = proxy.uri().authority().map_or("", |one| one.as_str());
        let port = match authority.rsplit_once(':') {
            // The last colon of a bare IPv6 address is inside its brackets.
            Some((_, port)) if !port.contains(']') => {
                port.parse().map_err(|_| ProxyError::NoUrl)?
            }
            _ => HTTP_PORT,
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
            authorization: proxy.basic_auth().cloned(),
        })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            host if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl Proxies {
    /// The proxy to go through to this server, if any. The environment's is never asked for what
    /// is on this machine.
    ///
    /// # Errors
    ///
    /// The proxy that would be used is none; the variable that names it, `None` for the flag.
    pub(crate) fn toward(
        &self,
        server: &Endpoint,
    ) -> Result<Option<Proxy>, (Option<&'static str>, ProxyError)> {
        let Endpoint::Tcp { host, .. } = server else {
            return Ok(None);
        };
        let (place, url) = match (&self.flag, &self.environment) {
            (Some(url), _) => (None, url),
            (None, Some((name, url))) if !is_loopback(host) => (Some(*name), url),
            (None, _) => return Ok(None),
        };
        if self.excepts(server) {
            return Ok(None);
        }
        Proxy::parse(url).map(Some).map_err(|error| (place, error))
    }

    fn excepts(&self, server: &Endpoint) -> bool {
        let Ok(server) = format!("https://{}", server.authority()).parse::<Uri>() else {
            return false;
        };
        // Any proxy will do to ask which servers none is for.
        Matcher::builder()
            .all("http://any.invalid")
            .no(self.exceptions.as_str())
            .build()
            .intercept(&server)
            .is_none()
    }
}

/// Whether a name or an address is this machine's own (RFC 6761 section 6.3).
fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, shown, has_credentials) in [
            ("http://proxy.test:3128", "proxy.test:3128", false),
            ("proxy.test:3128", "proxy.test:3128", false),
            ("http://proxy.test", "proxy.test:80", false),
            ("http://user:s3cret@proxy.test:1/", "proxy.test:1", true),
            ("http://[::1]:3128", "[::1]:3128", false),
        ] {
            let proxy = Proxy::parse(url).expect(url);
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(proxy.authorization.is_some(), has_credentials, "{url}");
            assert!(!format!("{proxy:?}").contains("s3cret"));
        }
        for (url, error) in [
            ("", ProxyError::NoUrl),
            ("http://", ProxyError::NoUrl),
            ("http://a b", ProxyError::NoUrl),
            ("http://proxy.test:abc", ProxyError::NoUrl),
            ("http://proxy.test:99999", ProxyError::NoUrl),
            ("http://proxy.test:", ProxyError::NoUrl),
            ("https://proxy.test", ProxyError::Scheme),
            ("socks5://proxy.test:1", ProxyError::Scheme),
            ("ftp://proxy.test", ProxyError::Scheme),
        ] {
            assert_eq!(Proxy::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn which_servers_are_behind_a_proxy() {
        let toward = |flag: bool, exceptions: &str, server: &str| {
            let proxies = Proxies {
                flag: flag.then(|| "http://flag.test:1".to_owned()),
                environment: Some(("HTTPS_PROXY", "environment.test:1".to_owned())),
                exceptions: exceptions.to_owned(),
            };
            let server = Endpoint::parse(server).expect(server);
            let proxy = proxies.toward(&server).expect("a proxy");
            proxy.map(|proxy| proxy.host)
        };
        for (flag, exceptions, server, proxy) in [
            (false, "", "license.test:1", Some("environment.test")),
            (true, "", "license.test:1", Some("flag.test")),
            (false, "", "localhost:1", None),
            (false, "", "LOCALHOST.:1", None),
            (false, "", "a.localhost:1", None),
            (false, "", "127.8.9.1:1", None),
            (false, "", "[::1]:1", None),
            (false, "", "[::ffff:127.0.0.1]:1", None),
            (true, "", "localhost:1", Some("flag.test")),
            (true, "", "[::1]:1", Some("flag.test")),
            (true, "", "unix:/run/a", None),
            (true, "license.test", "license.test:1", None),
            (true, "test", "license.test:1", None),
            (false, ".test", "license.test:1", None),
            (true, "*", "localhost:1", None),
            (true, "10.0.0.0/8, other", "10.1.2.3:1", None),
            (true, "::1", "[::1]:1", None),
            (true, "cense.test", "license.test:1", Some("flag.test")),
        ] {
            assert_eq!(
                toward(flag, exceptions, server).as_deref(),
                proxy,
                "{flag} {exceptions} {server}"
            );
        }
    }
}
