//! Failures for invalid values of options: the config file, proxies and request headers.

use std::path::Path;

use super::failure::Failure;
use crate::{metadata::MetadataError, proxy::ProxyError};

/// Returns the failure for a config file that is not TOML. `line`, counted from 1, is the invalid
/// line.
///
/// The text of the line is not shown, because it may contain a secret.
pub(crate) fn config_file_malformed(file: &Path, line: usize, reason: &str) -> Failure {
    Failure::usage(format!("{}: line {line} is no TOML", file.display())).with_cause(reason)
}

/// Returns the failure for an invalid proxy. `origin` is the option or environment variable that
/// sets the proxy.
pub(crate) fn proxy_invalid(origin: &str, error: ProxyError) -> Failure {
    let problem = match error {
        ProxyError::InvalidUrl => "no URL of a proxy",
        ProxyError::UnsupportedScheme => {
            "only proxies that take HTTP CONNECT in plain HTTP are known"
        }
    };
    Failure::usage_with_hint(
        format!("{origin}: {problem}"),
        "a right one is http://proxy.example.com:3128; NO_PROXY names servers that need none",
    )
}

/// Returns the failure for an invalid request header. `origin` is the option or file that contains
/// the header.
///
/// The value of the header is not shown, because it may be a secret.
pub(crate) fn metadata_invalid(origin: &str, error: &MetadataError) -> Failure {
    let problem = match error {
        MetadataError::MissingColon => "no colon between a name and a value".to_owned(),
        MetadataError::InvalidName => "the name is no name of a header".to_owned(),
        MetadataError::ReservedName(name) => {
            format!("{name} is set by gRPC or HTTP/2 and can't be given")
        }
        MetadataError::InvalidValue(name) => format!("the value of {name} is not printable ASCII"),
        MetadataError::InvalidBase64(name) => format!("the value of {name} is not base64"),
    };
    Failure::usage_with_hint(
        format!("{origin}: {problem}"),
        "a right one is 'x-tenant: north'",
    )
}
