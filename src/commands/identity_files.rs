//! The PEM files of a TLS identity, which `--cert` and `--key` name.

use crate::{
    diagnostics::{self, Failure},
    tls::Identity,
    user_path::UserPath,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityFiles {
    /// The file of the certificate, followed by the CA certificates of its chain.
    pub(crate) certificate: UserPath,
    pub(crate) key: UserPath,
}

impl IdentityFiles {
    pub(super) fn read(&self) -> Result<Identity, Failure> {
        Identity::read(&self.certificate, &self.key).map_err(diagnostics::tls_setup_failed)
    }
}
