//! Compares names with the name constraints of a CA (RFC 5280 section 4.2.1.10).

use std::{borrow::Cow, net::IpAddr};

use x509_parser::{
    asn1_rs::{Sequence, ToDer},
    certificate::X509Certificate,
    extensions::{GeneralName, GeneralSubtree, NameConstraints},
    prelude::FromDer,
};

pub(super) fn may_issue_for(issuer: &X509Certificate<'_>, names: &[String]) -> bool {
    match issuer.name_constraints() {
        Ok(Some(constraints)) => names.iter().all(|name| allows(constraints.value, name)),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// `content` is the content of the outer sequence, which is what a trust anchor of webpki holds.
pub(super) fn content_allows(content: &[u8], names: &[String]) -> bool {
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
