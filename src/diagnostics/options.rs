//! Failures of options, and of the files that options name.

use std::fmt;

use super::{failure::Failure, problem::time_hint};
use crate::{
    metadata::MetadataError,
    proxy::ProxyError,
    record::TimeError,
    user_path::{FileError, describe_value},
};

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let failure = Self::usage(error.to_string());
        if error.hides_path() {
            return failure.with_hint("pass the path of a file, not its content");
        }
        failure
    }
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self::usage_with_hint(
            error.to_string(),
            "write the URL as http://HOST:PORT; in a password, write / as %2F, ? as %3F and # as %23",
        )
    }
}

/// `origin` is the option or the file that contains the header.
pub(crate) fn metadata_invalid(origin: &dyn fmt::Display, error: &MetadataError) -> Failure {
    let hint = match error {
        MetadataError::ByteOrderMark => "save the file without a byte order mark",
        MetadataError::ReservedName(name) if name == "user-agent" => {
            "pass --user-agent TEXT instead"
        }
        MetadataError::ReservedName(name) if name == "host" => "pass --authority NAME instead",
        MetadataError::ReservedName(_) => "remove this header",
        MetadataError::InvalidBase64(_) => "encode the value, for example with: base64 -w0 FILE",
        MetadataError::InvalidValue(_) => {
            "use a header whose name ends in -bin, with the value in base64, if the server reads it"
        }
        MetadataError::EmptyToken
        | MetadataError::MultilineToken(_)
        | MetadataError::SchemeBeforeToken
        | MetadataError::SpaceInToken
        | MetadataError::InvalidToken => "write only the token into the file, on one line",
        MetadataError::MissingColon | MetadataError::InvalidName => {
            "write a header as 'x-tenant: north'"
        }
    };
    Failure::usage_with_hint(format!("{origin}: {error}"), hint)
}

/// `option` is `--earliest` or `--latest`, and `text` its value.
pub(crate) fn time_invalid(option: &str, text: &str, error: TimeError) -> Failure {
    let failure = Failure::usage(format!("{option} \"{}\" {error}", describe_value(text)));
    match time_hint(text, error) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
