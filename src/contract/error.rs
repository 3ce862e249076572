//! Errors of contracts and of encoding records, as data; `diagnostics` words them.

use crate::record::ExpireTime;

/// The reason why a record cannot be encoded for a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncodeError {
    /// The token is not UTF-8, but the contract's field is a `string`.
    TokenNotUtf8,
    /// The expire time is later than the last one that the contract's field can hold.
    ExpireTimeTooLate(ExpireTime),
}

/// An error that prevents a contract from being found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SchemaError {
    /// A `.proto` file that cannot be compiled; the compiler's message.
    InvalidProto(String),
    /// A descriptor set that cannot be decoded, is incomplete or contradicts itself.
    InvalidDescriptors(String),
    /// A file whose syntax is neither proto2 nor proto3.
    UnsupportedSyntax { file: String, syntax: String },
    /// The wanted method does not exist; `found` holds the paths of all methods.
    MethodNotFound { wanted: String, found: Vec<String> },
    /// Several methods have the expected name; their paths.
    AmbiguousMethod(Vec<String>),
    /// A method whose messages cannot carry records.
    UnsuitableMethod {
        method: String,
        /// The full name of the message that has the problem.
        message: String,
        problem: MethodProblem,
    },
}

/// The reason why a method is unsuitable. The lists of strings are the fields of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MethodProblem {
    /// The call is not unary.
    Streaming,
    /// No field, or more than one, can hold the records.
    NoRecordsField(Vec<String>),
    /// No field, or more than one, can hold the token.
    NoTokenField(Vec<String>),
    /// No field, or more than one, can hold the expire time.
    NoTimeField(Vec<String>),
    /// Token and expire time belong to the same oneof, whose name this is.
    SharedOneof(String),
    /// The response has fields, but none that can hold the code.
    NoCodeField(Vec<String>),
    /// A required field whose value is unknown.
    UnknownRequiredField(String),
}
