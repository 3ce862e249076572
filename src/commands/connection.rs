//! Connection options to a target.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderValue, uri::Authority};

use super::contract::ContractPlan;
use crate::{
    client::Target,
    diagnostics::{self, Failure},
    endpoint::Endpoint,
    metadata::Metadata,
    proxy::{Proxy, ProxySettings},
    terminal::Terminal,
    tls::{self, ClientTls, Identity, PeerName, TrustPolicy},
};

/// How to reach the server, as it was asked for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) endpoint: Endpoint,
    pub(crate) security: Security,
    /// The name to verify and to send; the host by default.
    pub(crate) server_name: Option<String>,
    pub(crate) authority: Option<Authority>,
    pub(crate) metadata: MetadataPlan,
    /// Before the program's own name.
    pub(crate) user_agent: Option<String>,
    pub(crate) gzip: bool,
    pub(crate) proxies: ProxySettings,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) contract: ContractPlan,
}

/// Where request metadata comes from. It is not shown, and so has no `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct MetadataPlan {
    /// `name: value`, or `@FILE` with one a line.
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

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// From the look-up of the name to the server's HTTP/2 SETTINGS.
    pub(crate) connect: Duration,
    /// One request.
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

/// What protects the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Plaintext,
    Tls {
        /// Files of trust anchors; the system's store when empty.
        anchors: Vec<PathBuf>,
        /// A client certificate and its key.
        identity: Option<(PathBuf, PathBuf)>,
        insecure: bool,
        allow_common_name: bool,
    },
}

/// What this program calls itself to servers.
pub(super) const USER_AGENT: &str = concat!("sensor-license/", env!("CARGO_PKG_VERSION"));

impl Connection {
    /// Reads the files that are named and settles the names.
    pub(super) fn target(&self, timeouts: Timeouts) -> Result<Target, Failure> {
        Ok(Target {
            endpoint: self.endpoint.clone(),
            authority: self.authority()?,
            tls: self.tls()?,
            connect_timeout: timeouts.connect,
            timeout: timeouts.request,
            user_agent: self.user_agent()?,
            metadata: self.metadata.read()?,
            sends_gzip: self.gzip,
            proxy: self.proxy()?,
            keepalive_interval: self.keepalive,
        })
    }

    fn proxy(&self) -> Result<Option<Proxy>, Failure> {
        let proxy = self.proxies.proxy_for(&self.endpoint);
        proxy.map_err(|invalid| {
            diagnostics::proxy_invalid(invalid.variable.unwrap_or("--proxy"), invalid.error)
        })
    }

    fn user_agent(&self) -> Result<HeaderValue, Failure> {
        let Some(text) = &self.user_agent else {
            return Ok(HeaderValue::from_static(USER_AGENT));
        };
        HeaderValue::from_str(&format!("{text} {USER_AGENT}"))
            .ok()
            .filter(|value| value.to_str().is_ok())
            .ok_or_else(|| Failure::usage("--user-agent takes printable ASCII alone"))
    }

    fn authority(&self) -> Result<Authority, Failure> {
        if let Some(authority) = &self.authority {
            return Ok(authority.clone());
        }
        // A certificate's name need not be legal in HTTP: old ones have spaces.
        let name = self.server_name.as_deref().and_then(legal_authority);
        let own = || legal_authority(&self.endpoint.authority());
        name.or_else(own).ok_or_else(|| {
            Failure::usage_with_hint(
                format!("{} is no legal name of a server", self.endpoint),
                "--authority NAME",
            )
        })
    }

    pub(super) fn tls(&self) -> Result<Option<ClientTls>, Failure> {
        let Security::Tls {
            anchors,
            identity,
            insecure,
            allow_common_name,
        } = &self.security
        else {
            return Ok(None);
        };
        // Files that are named are read even when nothing is verified: a wrong one is an error.
        let given =
            tls::read_trusted_certificates(anchors).map_err(diagnostics::tls_setup_failed)?;
        let trust = if *insecure {
            Terminal::security_warning(
                "--insecure: the server is not verified, anyone can pose as it",
            );
            TrustPolicy::Unverified
        } else if given.is_empty() {
            TrustPolicy::System
        } else {
            TrustPolicy::Certificates(given)
        };
        let identity = match identity {
            Some((certificate, key)) => {
                Some(Identity::read(certificate, key).map_err(diagnostics::tls_setup_failed)?)
            }
            None => None,
        };
        let name = self.server_name.as_deref();
        let name = PeerName::new(name.unwrap_or_else(|| self.endpoint.host()))
            .with_common_name_allowed(*allow_common_name);
        ClientTls::new(trust, identity, name)
            .map(Some)
            .map_err(diagnostics::tls_setup_failed)
    }
}

/// A host, with a port or without, that HTTP/2 takes as `:authority` (RFC 9113 section 8.3.1: no
/// user information).
pub(crate) fn legal_authority(text: &str) -> Option<Authority> {
    let authority = Authority::try_from(text).ok()?;
    let plain = !text.contains('@') && !authority.host().is_empty();
    plain.then_some(authority)
}
