//! Parses the URL of an HTTP proxy, and chooses the proxy for a server.

use std::{fmt, net::IpAddr};

use http::{
    HeaderValue, Uri,
    uri::{Authority, Scheme},
};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::endpoint::{Address, Endpoint};

/// An HTTP proxy that supports CONNECT (RFC 9110 section 9.3.6). `Display` omits the credentials,
/// and `Debug` masks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of the `Proxy-Authorization` header, marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("expected http://[USER:PASSWORD@]HOST:PORT")]
    InvalidUrl,
    #[error("only http:// proxies, which are asked to CONNECT, are supported")]
    UnsupportedScheme,
}

/// `origin` is the option or the environment variable that holds the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {error}")]
pub(crate) struct ProxySettingError {
    origin: &'static str,
    error: ProxyError,
}

/// The URLs may contain a password, so the type does not implement `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ProxySettings {
    pub(crate) flag: Option<String>,
    pub(crate) environment: Option<EnvironmentVariable>,
    /// The value of `NO_PROXY`.
    pub(crate) exceptions: String,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EnvironmentVariable {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

const HTTP_PORT: u16 = 80;

impl Proxy {
    /// Parses `[http://][user:password@]HOST[:PORT]`.
    pub(crate) fn parse(url: &str) -> Result<Self, ProxyError> {
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
        let suffix = authority.find(['/', '?', '#']).map(|at| &authority[at..]);
        // An unescaped `/`, `?` or `#` in a password ends the authority of the URL. The parser
        // would then take a part of the credentials for the host, so the URL is refused here.
        if !matches!(suffix, None | Some("/")) {
            return Err(ProxyError::InvalidUrl);
        }
        let proxy = Matcher::builder()
            .all(url)
            .build()
            .intercept(&Uri::from_static("https://any.invalid"));
        match proxy {
            Some(proxy) => Self::from_intercept(&proxy),
            None if url.contains("://") && !url.starts_with("http://") => {
                Err(ProxyError::UnsupportedScheme)
            }
            None => Err(ProxyError::InvalidUrl),
        }
    }

    fn from_intercept(proxy: &Intercept) -> Result<Self, ProxyError> {
        if proxy.uri().scheme() != Some(&Scheme::HTTP) {
            return Err(ProxyError::UnsupportedScheme);
        }
        let address = proxy.uri().authority().map_or("", Authority::as_str);
        let Address { host, port } =
            Address::parse(address, Some(HTTP_PORT)).map_err(|_| ProxyError::InvalidUrl)?;
        Ok(Self {
            host,
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

impl ProxySettings {
    /// A proxy from the environment is not used for a loopback address or a name under `localhost`.
    pub(crate) fn proxy_for(&self, server: &Endpoint) -> Result<Option<Proxy>, ProxySettingError> {
        let Endpoint::Tcp { host, .. } = server else {
            return Ok(None);
        };
        let (origin, url) = match (&self.flag, &self.environment) {
            (Some(url), _) => ("--proxy", url),
            (None, Some(proxy)) if !is_loopback(host) => (proxy.name, &proxy.value),
            (None, _) => return Ok(None),
        };
        if self.has_exception_for(server) {
            return Ok(None);
        }
        Proxy::parse(url)
            .map(Some)
            .map_err(|error| ProxySettingError { origin, error })
    }

    fn has_exception_for(&self, server: &Endpoint) -> bool {
        let Ok(server) = format!("https://{}", server.authority()).parse::<Uri>() else {
            return false;
        };
        // The matcher returns `None` if it has no proxy or if an exception applies. With this
        // placeholder as the proxy, `None` can only mean an exception.
        Matcher::builder()
            .all("http://any.invalid")
            .no(self.exceptions.as_str())
            .build()
            .intercept(&server)
            .is_none()
    }
}

/// Returns whether a host is a loopback address or a name under `localhost` (RFC 6761 section 6.3).
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
    fn parses_http_proxy_urls_and_masks_credentials() {
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
    }

    #[test]
    fn rejects_urls_of_unsupported_proxies() {
        for (url, error) in [
            ("", ProxyError::InvalidUrl),
            ("http://", ProxyError::InvalidUrl),
            ("http://a b", ProxyError::InvalidUrl),
            ("http://proxy.test:abc", ProxyError::InvalidUrl),
            ("http://proxy.test:99999", ProxyError::InvalidUrl),
            ("http://proxy.test:", ProxyError::InvalidUrl),
            ("https://proxy.test", ProxyError::UnsupportedScheme),
            ("socks5://proxy.test:1", ProxyError::UnsupportedScheme),
            ("ftp://proxy.test", ProxyError::UnsupportedScheme),
        ] {
            assert_eq!(Proxy::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn chooses_proxy_by_setting_and_server() {
        let proxy_host_for = |flag: bool, exceptions: &str, server: &str| {
            let settings = ProxySettings {
                flag: flag.then(|| "http://flag.test:1".to_owned()),
                environment: Some(EnvironmentVariable {
                    name: "HTTPS_PROXY",
                    value: "environment.test:1".to_owned(),
                }),
                exceptions: exceptions.to_owned(),
            };
            let server = Endpoint::parse(server).expect(server);
            let proxy = settings.proxy_for(&server).expect("valid settings");
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
                proxy_host_for(flag, exceptions, server).as_deref(),
                proxy,
                "{flag} {exceptions} {server}"
            );
        }
    }
}
