//! [`ConnectionPlan`] holds the connection options after parsing, and turns them into the
//! [`Target`] of the client and its TLS configuration.

use std::{fmt, time::Duration};

use http::{HeaderValue, header::AUTHORIZATION, uri::Authority};

use super::contract::ContractPlan;
use crate::{
    client::Target,
    diagnostics::{self, Failure},
    endpoint::Endpoint,
    metadata::{HeaderSource, Metadata},
    proxy::ProxySettings,
    terminal::Terminal,
    tls::{self, ClientTls, Identity, PeerName, TrustPolicy},
    user_path::{UserPath, Wait},
};

/// The connection options after parsing. The type has no `Debug`, because the options may contain
/// credentials.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ConnectionPlan {
    pub(crate) endpoint: Endpoint,
    /// `None` for plaintext.
    pub(crate) tls: Option<TlsPlan>,
    /// The name in the server certificate and in SNI. If `None`, the host of the endpoint.
    pub(crate) server_name: Option<String>,
    /// If `None`, the server name, or the host and port of the endpoint.
    pub(crate) authority: Option<Authority>,
    pub(crate) headers: Vec<HeaderSource>,
    pub(crate) bearer_token_file: Option<UserPath>,
    /// Text that precedes the program's own user agent.
    pub(crate) user_agent_prefix: Option<String>,
    pub(crate) sends_gzip: bool,
    pub(crate) proxy_settings: ProxySettings,
    pub(crate) keepalive_interval: Option<Duration>,
    pub(crate) contract: ContractPlan,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// From the start of the DNS lookup to the server's HTTP/2 SETTINGS.
    pub(crate) connect: Duration,
    pub(crate) request: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsPlan {
    /// If empty, the trust store of the operating system is used.
    pub(crate) trusted_certificates: Vec<UserPath>,
    pub(crate) identity: Option<IdentityFiles>,
    pub(crate) skips_verification: bool,
    pub(crate) allows_common_name: bool,
}

/// The PEM files of a TLS identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityFiles {
    /// The file of the certificate, followed by the CA certificates of its chain.
    pub(crate) certificate: UserPath,
    pub(crate) key: UserPath,
}

impl TlsPlan {
    pub(super) fn conflicts_with_plaintext(&self) -> bool {
        !self.trusted_certificates.is_empty()
            || self.identity.is_some()
            || self.skips_verification
            || self.allows_common_name
    }
}

pub(super) const USER_AGENT: &str = concat!("sensor-license/", env!("CARGO_PKG_VERSION"));

impl ConnectionPlan {
    /// Reads the files that the options name.
    pub(super) fn target(&self, timeouts: Timeouts, wait: Wait<'_>) -> Result<Target, Failure> {
        Ok(Target {
            endpoint: self.endpoint.clone(),
            authority: self.authority()?,
            tls: self.tls(wait)?,
            connect_timeout: timeouts.connect,
            timeout: timeouts.request,
            user_agent: self.user_agent()?,
            metadata: self.metadata(wait)?,
            sends_gzip: self.sends_gzip,
            proxy: self.proxy_settings.proxy_for(&self.endpoint)?,
            keepalive_interval: self.keepalive_interval,
        })
    }

    fn metadata(&self, wait: Wait<'_>) -> Result<Metadata, Failure> {
        let mut metadata = Metadata::default();
        let mut add_line = |origin: &dyn fmt::Display, line: &str| {
            let added = metadata.add_line(line);
            added.map_err(|error| diagnostics::metadata_invalid(origin, &error))
        };
        for header in &self.headers {
            match header {
                HeaderSource::Line(line) => add_line(&"--header", line)?,
                HeaderSource::File(file) => {
                    let text = file.read_text(wait)?;
                    let lines = (1..).zip(text.lines());
                    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
                        add_line(&format_args!("{file}:{number}"), line)?;
                    }
                }
            }
        }
        if let Some(file) = &self.bearer_token_file {
            if metadata.headers().contains_key(AUTHORIZATION) {
                return Err(Failure::usage(
                    "--bearer-token-file cannot be used with an \"authorization\" header",
                ));
            }
            metadata
                .add_bearer_token(&file.read_text(wait)?)
                .map_err(|error| diagnostics::metadata_invalid(file, &error))?;
        }
        Ok(metadata)
    }

    fn user_agent(&self) -> Result<HeaderValue, Failure> {
        let Some(prefix) = &self.user_agent_prefix else {
            return Ok(HeaderValue::from_static(USER_AGENT));
        };
        HeaderValue::from_str(&format!("{prefix} {USER_AGENT}"))
            .ok()
            .filter(|value| value.to_str().is_ok())
            .ok_or_else(|| Failure::usage("--user-agent is not printable ASCII"))
    }

    fn authority(&self) -> Result<Authority, Failure> {
        if let Some(authority) = &self.authority {
            return Ok(authority.clone());
        }
        // `--servername` may be the common name of an old certificate, with spaces, which HTTP does
        // not allow in `:authority`.
        let server_name = self.server_name.as_deref().and_then(parse_authority);
        let endpoint = || parse_authority(&self.endpoint.authority());
        server_name.or_else(endpoint).ok_or_else(|| {
            // Only a name with other characters than ASCII is no authority. The DNS and certificates
            // have only its ASCII form (RFC 5890).
            Failure::usage_with_hint(
                format!("\"{}\" is not a valid :authority", self.endpoint),
                "pass the ASCII form of the name, such as --server xn--bcher-kva.example:443",
            )
        })
    }

    fn tls(&self, wait: Wait<'_>) -> Result<Option<ClientTls>, Failure> {
        let Some(plan) = &self.tls else {
            return Ok(None);
        };
        // The files of `--cacert` are read even if `--insecure` makes them unnecessary. Otherwise
        // an invalid file would be reported only after the user removes `--insecure`.
        let mut certificates = Vec::new();
        for file in &plan.trusted_certificates {
            certificates.extend(tls::read_certificates(file, wait)?);
        }
        let trust = if plan.skips_verification {
            Terminal::security_warning(
                "--insecure: the server is not verified, so anyone on the network can pose as the server",
            );
            TrustPolicy::Unverified
        } else if certificates.is_empty() {
            TrustPolicy::system()?
        } else {
            TrustPolicy::Certificates(certificates)
        };
        let read = |files: &IdentityFiles| Identity::read(&files.certificate, &files.key, wait);
        let identity = plan.identity.as_ref().map(read).transpose()?;
        let name = self.server_name.as_deref();
        let mut name = PeerName::new(name.unwrap_or_else(|| self.endpoint.host()));
        name.allows_common_name = plan.allows_common_name;
        Ok(Some(ClientTls::new(trust, identity, name)))
    }
}

/// Parses an HTTP/2 `:authority`: a host, with or without a port. Returns `None` for invalid text,
/// and for text with user information, which RFC 9113 section 8.3.1 excludes.
pub(crate) fn parse_authority(text: &str) -> Option<Authority> {
    let authority = Authority::try_from(text).ok()?;
    let has_valid_port = authority.as_str() == authority.host() || authority.port_u16().is_some();
    let is_valid = !text.contains('@') && !authority.host().is_empty() && has_valid_port;
    is_valid.then_some(authority)
}
