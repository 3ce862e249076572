//! Names in certificates (`GeneralName`, RFC 5280 section 4.2.1.6) as text.

use std::{fmt, net::IpAddr};

use x509_parser::extensions::GeneralName;

pub(super) fn address_text(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

/// Returns a list of names in quotes.
pub(super) fn quote(names: &[String]) -> String {
    list(names.iter().map(|name| format!("{name:?}")))
}

/// A certificate may have thousands of names, but a message stays readable with at most 20.
pub(crate) fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    const MAX_NAMES: usize = 20;
    let omitted = names.len().saturating_sub(MAX_NAMES);
    let mut shown: Vec<_> = names.take(MAX_NAMES).collect();
    if omitted > 0 {
        shown.push(format!("and {omitted} more"));
    }
    shown.join(", ")
}

/// Returns a name as OpenSSL writes it.
pub(super) fn describe_name(name: &GeneralName<'_>) -> String {
    let text = |label: &str, value: &dyn fmt::Display| {
        format!("{label}:{}", value.to_string().escape_debug())
    };
    match name {
        GeneralName::DNSName(name) => text("DNS", name),
        GeneralName::RFC822Name(name) => text("email", name),
        GeneralName::URI(name) => text("URI", name),
        GeneralName::DirectoryName(name) => text("dirName", name),
        GeneralName::RegisteredID(oid) => text("RID", oid),
        GeneralName::OtherName(oid, _) => text("otherName", oid),
        GeneralName::IPAddress(bytes) => {
            let (address, mask) = bytes.split_at(bytes.len() / 2);
            match (
                address_text(bytes),
                address_text(address),
                address_text(mask),
            ) {
                (_, Some(address), Some(mask)) => format!("IP:{address}/{mask}"),
                (Some(address), ..) => format!("IP:{address}"),
                _ => "IP".to_owned(),
            }
        }
        GeneralName::X400Address(_) | GeneralName::EDIPartyName(_) | GeneralName::Invalid(..) => {
            "another kind of name".to_owned()
        }
    }
}
