//! Checks names of a certificate against the name constraints of its CAs (RFC 5280 section
//! 4.2.1.10). webpki checks only the names in the SAN.

use std::{borrow::Cow, net::IpAddr};

use webpki::VerifiedPath;
use x509_parser::{
    asn1_rs::{Sequence, ToDer},
    certificate::X509Certificate,
    extensions::{GeneralName, GeneralSubtree, NameConstraints},
    prelude::FromDer,
};

/// Fails if a CA of the path may not issue for one of the names.
pub(super) fn check_path(path: &VerifiedPath<'_>, names: &[String]) -> Result<(), webpki::Error> {
    if names.is_empty() {
        return Ok(());
    }
    let mut intermediates = path.intermediate_certificates().map(webpki::Cert::der);
    let allow = intermediates.all(|der| {
        X509Certificate::from_der(&der).is_ok_and(|(_, issuer)| may_issue_for(&issuer, names))
    });
    let root = path.anchor().name_constraints.as_deref();
    if allow && root.is_none_or(|content| content_allows(content, names)) {
        Ok(())
    } else {
        Err(webpki::Error::NameConstraintViolation)
    }
}

pub(super) fn may_issue_for(issuer: &X509Certificate<'_>, names: &[String]) -> bool {
    match issuer.name_constraints() {
        Ok(Some(constraints)) => names.iter().all(|name| allows(constraints.value, name)),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// `content` is the content of the outer sequence, which is what a trust anchor of webpki holds.
fn content_allows(content: &[u8], names: &[String]) -> bool {
    let Ok(der) = Sequence::new(Cow::Borrowed(content)).to_der_vec() else {
        return false;
    };
    NameConstraints::from_der(&der)
        .is_ok_and(|(_, constraints)| names.iter().all(|name| allows(&constraints, name)))
}

fn allows(constraints: &NameConstraints<'_>, name: &str) -> bool {
    let relations = |subtrees: &Option<Vec<GeneralSubtree<'_>>>, is_excluded| {
        let subtrees = subtrees.iter().flatten();
        let within = subtrees.filter_map(|one| is_within(name, &one.base, is_excluded));
        within.collect::<Vec<_>>()
    };
    let excluded = relations(&constraints.excluded_subtrees, true);
    let permitted = relations(&constraints.permitted_subtrees, false);
    !excluded.contains(&true) && (permitted.is_empty() || permitted.contains(&true))
}

/// Returns whether a name is within a subtree, or `None` if the subtree is for another kind of names.
/// An IP address is also compared with DNS names, because a common name does not tell its kind.
fn is_within(name: &str, base: &GeneralName<'_>, is_excluded: bool) -> Option<bool> {
    match base {
        GeneralName::DNSName(base) => {
            // A wildcard also matches the names of an excluded subtree below its parent.
            let parent = name.strip_prefix("*.").filter(|_| is_excluded);
            let is_parent = parent.is_some_and(|parent| is_in_domain(base, parent));
            Some(is_parent || is_in_domain(name, base))
        }
        GeneralName::IPAddress(base) => Some(is_in_subnet(name.parse().ok()?, base)),
        _ => None,
    }
}

fn is_in_domain(name: &str, domain: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let domain = domain.to_ascii_lowercase();
    match name.strip_suffix(&domain) {
        Some("") => !domain.starts_with('.'),
        Some(below) => domain.is_empty() || domain.starts_with('.') || below.ends_with('.'),
        None => false,
    }
}

/// `subnet` is an address followed by a mask of the same length.
fn is_in_subnet(address: IpAddr, subnet: &[u8]) -> bool {
    let address = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let (base, mask) = subnet.split_at(subnet.len() / 2);
    let bytes = address.iter().zip(base.iter().zip(mask));
    subnet.len() == 2 * address.len()
        && bytes
            .into_iter()
            .all(|(byte, (base, mask))| byte & mask == base & mask)
}
