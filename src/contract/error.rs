//! The errors of finding a contract.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContractError {
    #[error("{0}")]
    InvalidProto(String),
    #[error("not a complete descriptor set: {0}")]
    InvalidDescriptors(String),
    #[error("{file} has the syntax \"{syntax}\", expected proto2 or proto3")]
    UnsupportedSyntax { file: String, syntax: String },
    #[error("no method {wanted}, found {}", list(.found))]
    MethodNotFound { wanted: String, found: Vec<String> },
    #[error("expected one method, found {}", list(.0))]
    AmbiguousMethod(Vec<String>),
    #[error("{method} cannot take records: {problem}")]
    UnsuitableMethod {
        method: String,
        problem: MethodProblem,
    },
}

/// `message` is the name of a message type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MethodProblem {
    #[error("it is streaming, expected one request and one response")]
    Streaming,
    #[error("{message} has no {wanted}, found {}", list(.fields))]
    NoField {
        message: String,
        wanted: &'static str,
        fields: Vec<String>,
    },
    #[error("{message} holds either a token or an expiration time (oneof {oneof})")]
    SharedOneof { message: String, oneof: String },
    #[error("{message} requires the field {field}, which records do not have")]
    UnknownRequiredField { message: String, field: String },
}

/// More than 12 names would not fit on a line.
fn list(names: &[String]) -> String {
    const MAX_NAMES: usize = 12;
    match names.len() {
        0 => "none".to_owned(),
        all if all > MAX_NAMES => format!(
            "{} and {} more",
            names[..MAX_NAMES].join(", "),
            all - MAX_NAMES
        ),
        _ => names.join(", "),
    }
}
