//! Connection options to a target.

use std::{path::PathBuf, time::Duration};

use http::{HeaderValue, uri::Authority};

use crate::{
    client::Target,
    endpoint::Endpoint,
    failure::Failure,
    output::Output,
    tls::{self, ClientTls, Identity, PeerName, Trust},
};

/// How to reach the server, as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) endpoint: Endpoint,
    pub(crate) security: Security,
    /// The name to verify and to send; the host by default.
    pub(crate) server_name: Option<String>,
    pub(crate) authority: Option<Authority>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// From the look-up of the name to the server's HTTP/2 SETTINGS.
    pub(crate) connect: Duration,
    /// One request.
    pub(crate) request: Duration,
}

/// What protects the connection.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Plaintext,
    Tls {
        /// Files of trust anchors; the system's store when empty.
        anchors: Vec<PathBuf>,
        /// A client certificate and its key.
        identity: Option<(PathBuf, PathBuf)>,
        insecure: bool,
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
            user_agent: HeaderValue::from_static(USER_AGENT),
        })
    }

    fn authority(&self) -> Result<Authority, Failure> {
        if let Some(authority) = &self.authority {
            return Ok(authority.clone());
        }
        // A certificate's name need not be legal in HTTP: old ones have spaces.
        let name = self.server_name.as_deref().and_then(legal_authority);
        let own = || legal_authority(&self.endpoint.authority());
        name.or_else(own).ok_or_else(|| {
            Failure::usage_hint(
                format!("{} is no legal name of a server", self.endpoint),
                "--authority NAME",
            )
        })
    }

    fn tls(&self) -> Result<Option<ClientTls>, Failure> {
        let Security::Tls {
            anchors,
            identity,
            insecure,
        } = &self.security
        else {
            return Ok(None);
        };
        // Files that are named are read even when nothing is verified: a wrong one is an error.
        let given = tls::read_anchors(anchors).map_err(Failure::tls_setup)?;
        let trust = if *insecure {
            Output::danger("--insecure: the server is not verified, anyone can pose as it");
            Trust::Unverified
        } else if given.is_empty() {
            Trust::System
        } else {
            Trust::Given(given)
        };
        let identity = match identity {
            Some((certificate, key)) => {
                Some(Identity::read(certificate, key).map_err(Failure::tls_setup)?)
            }
            None => None,
        };
        let name = self.server_name.as_deref();
        let name = PeerName::new(name.unwrap_or_else(|| self.endpoint.host()));
        tls::client(trust, identity, name)
            .map(Some)
            .map_err(Failure::tls_setup)
    }
}

/// A host, with a port or without, that HTTP/2 takes as `:authority` (RFC 9113 section 8.3.1: no
/// user information).
pub(crate) fn legal_authority(text: &str) -> Option<Authority> {
    let authority = Authority::try_from(text).ok()?;
    let plain = !text.contains('@') && !authority.host().is_empty();
    plain.then_some(authority)
}
