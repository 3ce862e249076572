//! The PEM files of a TLS identity, as named by `--cert` and `--key`.

use std::path::PathBuf;

use crate::{
    diagnostics::{self, Failure},
    tls::Identity,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityFiles {
    /// The certificate, followed by its chain.
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl IdentityFiles {
    pub(super) fn read(&self) -> Result<Identity, Failure> {
        Identity::read(&self.certificate, &self.key).map_err(diagnostics::tls_setup_failed)
    }
}
