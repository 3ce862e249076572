//! The certificates that are configured as trusted, and the reasons for trusting a server.

use std::{env, path::Path};

use rustls::RootCertStore;
use rustls_native_certs::ErrorKind;

use super::{certificate::Certificate, error::TlsError, pem, refusal::RefusalReason};
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
    errors: Vec<String>,
}

impl SystemStore {
    /// Returns why the store may lack a CA: an environment variable that replaces it, or a file that
    /// cannot be read.
    fn remarks(&self) -> Vec<String> {
        let errors = self.errors.iter().cloned();
        let remarks = describe_variables().into_iter().chain(errors);
        remarks.chain(unusable_file()).collect()
    }
}

/// The environment variables of OpenSSL that replace the trust store: a file, and folders.
const FILE_VARIABLE: &str = "SSL_CERT_FILE";
const FOLDER_VARIABLE: &str = "SSL_CERT_DIR";

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
        let errors = found.errors.iter().filter_map(describe_error);
        let store = SystemStore {
            roots,
            errors: errors.collect(),
        };
        if added == 0 {
            let remarks = store.remarks();
            return Err(TlsError::NoSystemTrustStore { remarks });
        }
        Ok(Self::System(store))
    }

    pub(super) fn remarks_on(&self, reason: &RefusalReason) -> Vec<String> {
        match (self, reason) {
            (Self::System(store), RefusalReason::UnknownIssuer(_) | RefusalReason::SelfSigned) => {
                store.remarks()
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

fn describe_variables() -> Option<String> {
    let path = |name| env::var_os(name).map(|value| UserPath::from(Path::new(&value)));
    let folders = path(FOLDER_VARIABLE).filter(|folders| !folders.as_ref().as_os_str().is_empty());
    let (names, paths) = match (path(FILE_VARIABLE), folders) {
        (None, None) => return None,
        (Some(path), None) => (format!("{FILE_VARIABLE} replaces"), format!("\"{path}\"")),
        (None, Some(path)) => (format!("{FOLDER_VARIABLE} replaces"), format!("\"{path}\"")),
        (Some(file), Some(folders)) => (
            format!("{FILE_VARIABLE} and {FOLDER_VARIABLE} replace"),
            format!("\"{file}\" and \"{folders}\""),
        ),
    };
    Some(format!("{names} the system trust store with {paths}"))
}

fn describe_error(error: &rustls_native_certs::Error) -> Option<String> {
    match &error.kind {
        // `SSL_CERT_FILE` is set to an empty path, which its own remark shows.
        ErrorKind::Io { path, .. } if path.as_os_str().is_empty() => None,
        ErrorKind::Io { path, inner } => {
            let path = UserPath::from(path.as_path());
            Some(path.error("read", inner).to_string())
        }
        ErrorKind::Pem(_) => Some("a file of the system trust store is not valid PEM".to_owned()),
        _ => Some(error.to_string()),
    }
}

/// Returns the reason why the file of [`FILE_VARIABLE`] holds no usable certificate. A FIFO cannot
/// be read again.
fn unusable_file() -> Option<String> {
    let file = env::var_os(FILE_VARIABLE)?;
    let file = Path::new(&file);
    if !file.is_file() {
        return None;
    }
    let read = pem::read_certificates(&UserPath::from(file), &|_| Ok(()));
    let error = read.err()?;
    matches!(error, TlsError::Pem { .. }).then(|| error.to_string())
}
