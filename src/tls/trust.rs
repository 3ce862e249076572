//! The certificates that are configured as trusted, and the reasons for trusting a server.

use std::{env, path::Path};

use rustls::RootCertStore;

use super::{certificate::Certificate, error::TlsError, refusal::RefusalReason};
use crate::user_path::UserPath;

/// The servers that a client trusts.
#[derive(Debug)]
pub(crate) enum TrustPolicy {
    /// Servers whose certificate chain ends in the trust store of the operating system.
    System(SystemStore),
    /// Servers whose certificate is in this list, or was issued by a certificate in this list.
    Certificates(Vec<Certificate>),
    Unverified,
}

#[derive(Debug)]
pub(crate) struct SystemStore {
    pub(super) roots: RootCertStore,
    /// Why the store may lack a CA: an environment variable that replaces it, or a file that cannot
    /// be read.
    pub(super) remarks: Vec<String>,
}

/// The environment variables of OpenSSL that replace the trust store.
const STORE_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The reason why a server certificate is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrustBasis {
    /// The certificate itself is configured as trusted.
    Pinned,
    /// A configured certificate issued the server certificate, directly or through intermediates.
    Issued,
    System,
    /// Verification is turned off.
    Unverified,
}

impl TrustPolicy {
    pub(crate) fn system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        let variables = STORE_VARIABLES.into_iter().filter_map(|name| {
            let value = env::var_os(name).filter(|value| !value.is_empty())?;
            let path = UserPath::from(Path::new(&value));
            Some(format!(
                "{name} replaces the system trust store with \"{path}\""
            ))
        });
        let errors = found.errors.iter().map(ToString::to_string);
        let remarks = variables.chain(errors).collect();
        if added == 0 {
            return Err(TlsError::NoSystemTrustStore { remarks });
        }
        Ok(Self::System(SystemStore { roots, remarks }))
    }

    pub(super) fn remarks_on(&self, reason: &RefusalReason) -> Vec<String> {
        match (self, reason) {
            (Self::System(store), RefusalReason::UnknownIssuer(_) | RefusalReason::SelfSigned) => {
                store.remarks.clone()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn certificates(&self) -> &[Certificate] {
        match self {
            Self::Certificates(certificates) => certificates,
            Self::System(_) | Self::Unverified => &[],
        }
    }
}
