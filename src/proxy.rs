//! Parses the URL of an HTTP proxy, and chooses the proxy for a server.

use std::net::IpAddr;

use data_encoding::BASE64;
use http::{HeaderValue, Uri, header::InvalidHeaderValue};
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;

use crate::endpoint::{Address, Endpoint};

/// An HTTP proxy that supports CONNECT (RFC 9110 section 9.3.6). `Debug` masks the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) address: Address,
    /// The value of the `Proxy-Authorization` header, marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
}

/// `origin` is the option or the environment variable that holds the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: expected http://[USER:PASSWORD@]HOST:PORT")]
pub(crate) struct ProxyError {
    origin: &'static str,
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
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // The last `@` ends the user info, as in curl, so an unescaped `@` in a password works. An
        // unescaped `/`, `?` or `#` would end the authority of the URL, and could make a part of the
        // credentials the host, so the URL is refused.
        if !scheme.eq_ignore_ascii_case("http") || rest.contains(['/', '?', '#']) {
            return None;
        }
        let (user_info, address) = match rest.rsplit_once('@') {
            Some((user_info, address)) => (Some(user_info), address),
            None => (None, rest),
        };
        Some(Self {
            address: Address::parse(address, Some(HTTP_PORT)).ok()?,
            authorization: user_info.map(basic_authorization).transpose().ok()?,
        })
    }
}

/// Encodes `USER[:PASSWORD]` of a URL (RFC 7617 section 2).
fn basic_authorization(user_info: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let [user, password] = [user, password].map(|text| percent_decode_str(text).collect());
    let credentials: Vec<u8> = [user, vec![b':'], password].concat();
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(&credentials)))?;
    value.set_sensitive(true);
    Ok(value)
}

impl ProxySettings {
    /// A proxy from the environment is not used for a loopback address or a name under `localhost`.
    pub(crate) fn proxy_for(&self, server: &Endpoint) -> Result<Option<Proxy>, ProxyError> {
        let Endpoint::Tcp(address) = server else {
            return Ok(None);
        };
        let (origin, url) = match (&self.flag, &self.environment) {
            (Some(url), _) => ("--proxy", url),
            (None, Some(proxy)) if !is_loopback(&address.host) => (proxy.name, &proxy.value),
            (None, _) => return Ok(None),
        };
        if self.has_exception_for(address) {
            return Ok(None);
        }
        Proxy::parse(url).map(Some).ok_or(ProxyError { origin })
    }

    fn has_exception_for(&self, server: &Address) -> bool {
        let entries = self.exceptions.split([',', ' ', '\t']);
        let hosts: Vec<String> = entries
            .filter_map(|entry| exception_host(entry, server.port))
            .collect();
        let server = Address {
            host: server.host.trim_end_matches('.').to_owned(),
            port: server.port,
        };
        let Ok(server) = format!("https://{server}").parse::<Uri>() else {
            return false;
        };
        // The matcher returns `None` if it has no proxy or if an exception applies. With this
        // placeholder as the proxy, `None` can only mean an exception.
        let matcher = Matcher::builder().all("http://any.invalid");
        let matcher = matcher.no(hosts.join(",")).build();
        // The matcher compares `*` with names only, not with addresses.
        hosts.iter().any(|host| host == "*") || matcher.intercept(&server).is_none()
    }
}

/// Returns the host of an entry of `NO_PROXY` in the form that the matcher knows, or `None` if the
/// entry is limited to another port.
fn exception_host(entry: &str, port: u16) -> Option<String> {
    let host = match entry.rsplit_once(':') {
        // Another colon belongs to an IPv6 address without a port.
        Some((host, suffix)) if host.contains(']') || !host.contains(':') => {
            (suffix.parse() == Ok(port)).then_some(host)?
        }
        _ => entry,
    };
    let suffix = host.strip_prefix('*');
    let host = suffix
        .filter(|suffix| suffix.starts_with('.'))
        .unwrap_or(host);
    Some(host.trim_end_matches('.').replace(['[', ']'], ""))
}

/// Returns whether a host is this machine: a loopback or unspecified address, or a name under
/// `localhost` (RFC 6761 section 6.3).
fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        // The C library also accepts short forms such as 127.1.
        Err(_) if name.starts_with("127.") => name.chars().all(is_number),
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
            ("HTTP://u:s3cret@[::1]:3128", "[::1]:3128", true),
            ("user:s3cret@x@proxy.test:1", "proxy.test:1", true),
            ("http://a@b:s3cret@proxy.test:1", "proxy.test:1", true),
            ("http://s3cret@proxy.test", "proxy.test:80", true),
        ] {
            let proxy = Proxy::parse(url).expect(url);
            assert_eq!(proxy.address.to_string(), shown);
            assert_eq!(proxy.authorization.is_some(), has_credentials, "{url}");
            assert!(!format!("{proxy:?}").contains("s3cret"));
        }
    }

    #[test]
    fn last_at_sign_ends_the_credentials() {
        for (user_info, credentials) in [
            ("user:pass", "user:pass"),
            ("user:se@kret", "user:se@kret"),
            ("user:se%40kret", "user:se@kret"),
            ("user:@@", "user:@@"),
            ("user:a:b%2F%3f%23", "user:a:b/?#"),
            ("user:50%", "user:50%"),
            ("user:grün ß", "user:grün ß"),
            ("user", "user:"),
            ("", ":"),
        ] {
            let proxy = Proxy::parse(&format!("http://{user_info}@proxy.test:1")).expect(user_info);
            let expected = format!("Basic {}", BASE64.encode(credentials.as_bytes()));
            assert_eq!(proxy.authorization.expect("credentials"), *expected);
            assert_eq!(proxy.address.to_string(), "proxy.test:1");
        }
    }

    #[test]
    fn rejects_urls_of_unsupported_proxies() {
        for url in [
            "",
            "http://",
            "http://a b",
            "http://proxy.test:abc",
            "http://proxy.test:99999",
            "http://proxy.test:",
            "http://user:a/b@proxy.test:1",
            "http://user:a?b@proxy.test:1",
            "http://user:a#b@proxy.test:1",
            "http://user:pass@",
            "http://proxy.test/path@host",
            "https://proxy.test",
            "socks5://proxy.test:1",
            "ftp://proxy.test",
        ] {
            assert_eq!(Proxy::parse(url), None, "{url}");
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
            proxy.map(|proxy| proxy.address.host)
        };
        for (flag, exceptions, server, proxy) in [
            (false, "", "license.test:1", Some("environment.test")),
            (true, "", "license.test:1", Some("flag.test")),
            (false, "", "localhost:1", None),
            (false, "", "LOCALHOST.:1", None),
            (false, "", "a.localhost:1", None),
            (false, "", "127.8.9.1:1", None),
            (false, "", "[::1]:1", None),
            (false, "", "0.0.0.0:1", None),
            (false, "", "[::]:1", None),
            (false, "", "127.1:1", None),
            (false, "", "127.1.test:1", Some("environment.test")),
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
            (true, "*.test", "license.test:1", None),
            (true, "*.test", "a.license.test:1", None),
            (true, "*.test", "license.other:1", Some("flag.test")),
            (true, "*icense.test", "license.test:1", Some("flag.test")),
            (true, "*.", "license.test:1", Some("flag.test")),
            (true, "*", "10.1.2.3:1", None),
            (true, "*:1", "10.1.2.3:1", None),
            (true, "license.test:1", "license.test:1", None),
            (true, "*.test:1", "license.test:1", None),
            (true, "license.test:2", "license.test:1", Some("flag.test")),
            (true, "license.test:x", "license.test:1", Some("flag.test")),
            (true, "10.1.2.3:1", "10.1.2.3:1", None),
            (true, "10.0.0.0/8:1", "10.1.2.3:1", None),
            (true, "10.0.0.0/8:2", "10.1.2.3:1", Some("flag.test")),
            (true, "[::1]", "[::1]:1", None),
            (true, "[::1]:1", "[::1]:1", None),
            (true, "[::1]:2", "[::1]:1", Some("flag.test")),
            (true, "fd00::/8", "[fd00::5]:1", None),
            (true, "[fd00::]/8", "[fd00::5]:1", None),
            (true, "[fd00::]/8:1", "[fd00::5]:1", None),
            (true, "[fd00::]/8:2", "[fd00::5]:1", Some("flag.test")),
            (true, "[fd00::]/8", "[fe00::5]:1", Some("flag.test")),
            (true, "LICENSE.test.", "license.test:1", None),
            (true, "license.test", "license.TEST.:1", None),
            (true, "other.test license.test", "license.test:1", None),
        ] {
            assert_eq!(
                proxy_host_for(flag, exceptions, server).as_deref(),
                proxy,
                "{flag} {exceptions} {server}"
            );
        }
    }
}
