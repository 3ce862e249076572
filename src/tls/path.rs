//! Checks of a certificate path that webpki does not make.

use webpki::{Error, VerifiedPath};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::name_constraints::{content_allows, may_issue_for};

/// Fails if an intermediate may not sign certificates (RFC 5280 section 6.1.4), or if a CA may not
/// issue for one of the common names. webpki itself checks only the names in the SAN.
pub(super) fn check_path(path: &VerifiedPath<'_>, common_names: &[String]) -> Result<(), Error> {
    for intermediate in path.intermediate_certificates() {
        match X509Certificate::from_der(&intermediate.der()) {
            Ok((_, issuer)) if !may_sign_certificates(&issuer) => {
                return Err(Error::EndEntityUsedAsCa);
            }
            Ok((_, issuer)) if !may_issue_for(&issuer, common_names) => {
                return Err(Error::NameConstraintViolation);
            }
            Err(_) if !common_names.is_empty() => return Err(Error::BadDer),
            Ok(_) | Err(_) => {}
        }
    }
    let root = path.anchor().name_constraints.as_deref();
    if root.is_none_or(|content| content_allows(content, common_names)) {
        Ok(())
    } else {
        Err(Error::NameConstraintViolation)
    }
}

pub(super) fn may_sign_certificates(issuer: &X509Certificate<'_>) -> bool {
    match issuer.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) | Err(_) => true,
    }
}
