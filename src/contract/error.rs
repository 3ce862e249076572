//! The errors of finding a contract and of encoding records, as data. `diagnostics` contains their
//! text.

use crate::record::ExpireTime;

/// The reason why a record cannot be encoded for a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncodeError {
    /// The token is not UTF-8, but the token field of the contract is a `string`.
    TokenNotUtf8,
    /// The expiration time is later than this time, the latest that the time field of the contract
    /// can hold.
    ExpireTimeTooLate(ExpireTime),
}

/// An error that prevents a contract from being found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SchemaError {
    /// The `.proto` file cannot be compiled, for the reason in the compiler's message.
    InvalidProto(String),
    /// The descriptors cannot be decoded, are incomplete or contradict each other.
    InvalidDescriptors(String),
    /// The syntax of a file is neither proto2 nor proto3.
    UnsupportedSyntax { file: String, syntax: String },
    /// The `wanted` method does not exist. `found` holds the paths of all methods.
    MethodNotFound { wanted: String, found: Vec<String> },
    /// Several methods have the expected name. Their paths are listed.
    AmbiguousMethod(Vec<String>),
    /// The messages of the method cannot carry records.
    UnsuitableMethod {
        method: String,
        /// The full name of the unsuitable message.
        message: String,
        problem: MethodProblem,
    },
}

/// The reason why a method is unsuitable. If its request or response message is the reason, the
/// variant lists the names of all fields of that message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MethodProblem {
    /// The method is not unary: it streams requests or responses.
    Streaming,
    /// No field can hold the records, or more than one field can.
    NoRecordsField(Vec<String>),
    /// No field can hold the token, or more than one field can.
    NoTokenField(Vec<String>),
    /// No field can hold the expiration time, or more than one field can.
    NoTimeField(Vec<String>),
    /// The token and the expiration time are members of the oneof with this name, so a record
    /// cannot hold both.
    SharedOneof(String),
    /// The response has fields, but the code cannot be assigned to a field.
    NoCodeField(Vec<String>),
    /// The field with this name is required, but this program has no value for it.
    UnknownRequiredField(String),
}
