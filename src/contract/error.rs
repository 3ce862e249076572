//! The errors of finding a contract and of encoding records, as data. `diagnostics` contains their
//! text.

use crate::record::ExpireTime;

/// The reason why a record cannot be encoded for a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncodeError {
    /// The token is not UTF-8, but the token field of the contract is a `string`.
    TokenNotUtf8,
    /// The expiration time of the record is too late for the time field of the contract. The value
    /// is the latest expiration time that the field can hold.
    ExpireTimeTooLate(ExpireTime),
}

/// An error that prevents a contract from being found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContractError {
    /// The `.proto` file cannot be compiled. The string is the compiler's message.
    InvalidProto(String),
    /// The descriptors cannot be decoded, are incomplete or contradict each other.
    InvalidDescriptors(String),
    /// The syntax of a file is neither proto2 nor proto3.
    UnsupportedSyntax { file: String, syntax: String },
    /// The `wanted` method does not exist. `found` holds the paths of all methods.
    MethodNotFound { wanted: String, found: Vec<String> },
    /// Several methods have the expected name. Their paths are listed.
    AmbiguousMethod(Vec<String>),
    /// The method exists, but records cannot be sent with the method.
    UnsuitableMethod {
        method: String,
        /// The full name of the message that has the problem.
        message: String,
        problem: MethodProblem,
    },
}

/// The reason why a method is unsuitable. A list of strings holds the types and names of all fields
/// of the message that has the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MethodProblem {
    /// The method is not unary: it streams requests or responses.
    Streaming,
    /// No field of the request could be chosen for the records.
    NoRecordsField(Vec<String>),
    /// No field of the record message could be chosen for the token.
    NoTokenField(Vec<String>),
    /// No field of the record message could be chosen for the expiration time.
    NoTimeField(Vec<String>),
    /// The token and the expiration time are members of the oneof with this name, so a record can
    /// hold only the token or only the expiration time.
    SharedOneof(String),
    /// The response has fields, but no field could be chosen for the code.
    NoCodeField(Vec<String>),
    /// The field with this name is required, but this program has no value for it.
    UnknownRequiredField(String),
}
