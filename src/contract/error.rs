//! The errors of finding a contract.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContractError {
    #[error("{0}")]
    InvalidProto(String),
    #[error("{0}")]
    MissingProto(String),
    #[error("{file} has the syntax \"{syntax}\", but only proto2 and proto3 are supported")]
    UnsupportedSyntax { file: String, syntax: String },
    #[error("invalid or incomplete descriptors: {0}")]
    InvalidDescriptors(String),
    #[error("expected the method {wanted}, found {}", list(.found, "no method"))]
    MethodNotFound { wanted: String, found: Vec<String> },
    #[error("expected one method, found {}", list(.0, "none"))]
    AmbiguousMethod(Vec<String>),
    #[error("{method} cannot take records: {problem}")]
    UnsuitableMethod {
        method: String,
        problem: MethodProblem,
        others: Vec<String>,
    },
}

/// `message` is the name of a message type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MethodProblem {
    #[error("it is streaming, expected one request and one response")]
    Streaming,
    #[error("its name is not a valid HTTP/2 path")]
    InvalidPath,
    #[error("{message}: expected a {wanted}, found {}", list(.fields, "no fields"))]
    NoField {
        message: String,
        wanted: &'static str,
        fields: Vec<String>,
    },
    #[error("{message} requires the field {field}, which records do not have")]
    UnknownRequiredField { message: String, field: String },
}

/// More than 12 names would not fit on a line.
fn list(names: &[String], nothing: &str) -> String {
    const MAX_NAMES: usize = 12;
    match names.split_at_checked(MAX_NAMES) {
        _ if names.is_empty() => nothing.to_owned(),
        Some((shown, rest @ [_, ..])) => format!("{} and {} more", shown.join(", "), rest.len()),
        _ => names.join(", "),
    }
}
