//! [`ConnectionPlan`], and the client target and TLS configuration that follow from it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderValue, uri::Authority};

use super::{contract::ContractPlan, identity_files::IdentityFiles};
use crate::{
    client::Target,
    diagnostics::{self, Failure},
    endpoint::Endpoint,
    metadata::Metadata,
    proxy::{Proxy, ProxySettings},
    terminal::Terminal,
    tls::{self, ClientTls, PeerName, TrustPolicy},
};

/// The connection options. They may contain credentials and therefore have no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ConnectionPlan {
    pub(crate) endpoint: Endpoint,
    pub(crate) security: TransportSecurity,
    /// The name that the certificate must have and that SNI sends; `None` for the host.
    pub(crate) server_name: Option<String>,
    /// The `:authority` of requests; `None` for the server name, or else the endpoint.
    pub(crate) authority: Option<Authority>,
    pub(crate) metadata: MetadataPlan,
    /// Text that precedes the program's own user agent.
    pub(crate) user_agent_prefix: Option<String>,
    pub(crate) sends_gzip: bool,
    pub(crate) proxy_settings: ProxySettings,
    /// The time between HTTP/2 keepalive pings; `None` for no pings.
    pub(crate) keepalive_interval: Option<Duration>,
    pub(crate) contract: ContractPlan,
}

/// The sources of request metadata. They may contain credentials and therefore have no `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct MetadataPlan {
    /// Each `name: value`, or `@FILE` for a file with one of them per line.
    pub(crate) headers: Vec<String>,
    pub(crate) bearer_token_file: Option<PathBuf>,
}

impl MetadataPlan {
    fn read(&self) -> Result<Metadata, Failure> {
        let mut metadata = Metadata::default();
        for header in &self.headers {
            match header.strip_prefix('@') {
                None => metadata
                    .add_line(header)
                    .map_err(|error| diagnostics::metadata_invalid("--header", &error))?,
                Some(file) => {
                    let text = read_text(Path::new(file))?;
                    for line in text.lines().filter(|line| !line.trim().is_empty()) {
                        metadata
                            .add_line(line)
                            .map_err(|error| diagnostics::metadata_invalid(file, &error))?;
                    }
                }
            }
        }
        if let Some(file) = &self.bearer_token_file {
            if metadata.has_header("authorization") {
                return Err(Failure::usage(
                    "--bearer-token-file and a header authorization contradict each other",
                ));
            }
            let text = read_text(file)?;
            let token = text.strip_suffix('\n').unwrap_or(&text);
            let token = token.strip_suffix('\r').unwrap_or(token);
            metadata
                .add_bearer_token(token)
                .map_err(|error| diagnostics::metadata_invalid(&file.to_string_lossy(), &error))?;
        }
        Ok(metadata)
    }
}

fn read_text(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| diagnostics::file_read_failed(file, &error))
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// The timeout from the DNS lookup to the HTTP/2 SETTINGS of the server.
    pub(crate) connect: Duration,
    /// The timeout of one attempt of a request.
    pub(crate) request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(10),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransportSecurity {
    Plaintext,
    Tls {
        /// PEM files of trusted certificates; if empty, the trust store of the system is used.
        trusted_certificates: Vec<PathBuf>,
        /// The client certificate (mTLS).
        identity: Option<IdentityFiles>,
        skips_verification: bool,
        /// Whether the common name identifies a server whose certificate has no SAN.
        allows_common_name: bool,
    },
}

/// The user agent of this program.
pub(super) const USER_AGENT: &str = concat!("sensor-license/", env!("CARGO_PKG_VERSION"));

impl ConnectionPlan {
    /// Reads the files that the options name and determines every default.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed, or options contradict each other.
    pub(super) fn target(&self, timeouts: Timeouts) -> Result<Target, Failure> {
        Ok(Target {
            endpoint: self.endpoint.clone(),
            authority: self.authority()?,
            tls: self.tls()?,
            connect_timeout: timeouts.connect,
            timeout: timeouts.request,
            user_agent: self.user_agent()?,
            metadata: self.metadata.read()?,
            sends_gzip: self.sends_gzip,
            proxy: self.proxy()?,
            keepalive_interval: self.keepalive_interval,
        })
    }

    fn proxy(&self) -> Result<Option<Proxy>, Failure> {
        let proxy = self.proxy_settings.proxy_for(&self.endpoint);
        proxy.map_err(|invalid| {
            diagnostics::proxy_invalid(invalid.variable.unwrap_or("--proxy"), invalid.error)
        })
    }

    fn user_agent(&self) -> Result<HeaderValue, Failure> {
        let Some(prefix) = &self.user_agent_prefix else {
            return Ok(HeaderValue::from_static(USER_AGENT));
        };
        HeaderValue::from_str(&format!("{prefix} {USER_AGENT}"))
            .ok()
            .filter(|value| value.to_str().is_ok())
            .ok_or_else(|| Failure::usage("--user-agent takes printable ASCII alone"))
    }

    fn authority(&self) -> Result<Authority, Failure> {
        if let Some(authority) = &self.authority {
            return Ok(authority.clone());
        }
        // The common name of an old certificate may contain spaces, which HTTP does not allow.
        let server_name = self.server_name.as_deref().and_then(parse_authority);
        let endpoint = || parse_authority(&self.endpoint.authority());
        server_name.or_else(endpoint).ok_or_else(|| {
            Failure::usage_with_hint(
                format!("{} is no legal name of a server", self.endpoint),
                "--authority NAME",
            )
        })
    }

    /// Returns the TLS configuration, or `None` for plaintext.
    pub(super) fn tls(&self) -> Result<Option<ClientTls>, Failure> {
        let TransportSecurity::Tls {
            trusted_certificates,
            identity,
            skips_verification,
            allows_common_name,
        } = &self.security
        else {
            return Ok(None);
        };
        // The files are read even if nothing is verified, so that a wrong one is reported.
        let certificates = tls::read_trusted_certificates(trusted_certificates)
            .map_err(diagnostics::tls_setup_failed)?;
        let trust = if *skips_verification {
            Terminal::security_warning(
                "--insecure: the server is not verified, anyone can pose as it",
            );
            TrustPolicy::Unverified
        } else if certificates.is_empty() {
            TrustPolicy::System
        } else {
            TrustPolicy::Certificates(certificates)
        };
        let identity = identity.as_ref().map(IdentityFiles::read).transpose()?;
        let name = self.server_name.as_deref();
        let name = PeerName::new(name.unwrap_or_else(|| self.endpoint.host()))
            .with_common_name_allowed(*allows_common_name);
        ClientTls::new(trust, identity, name)
            .map(Some)
            .map_err(diagnostics::tls_setup_failed)
    }
}

/// Parses a host with or without a port that HTTP/2 accepts as `:authority`. RFC 9113 section
/// 8.3.1 excludes user information.
pub(crate) fn parse_authority(text: &str) -> Option<Authority> {
    let authority = Authority::try_from(text).ok()?;
    let is_valid = !text.contains('@') && !authority.host().is_empty();
    is_valid.then_some(authority)
}
