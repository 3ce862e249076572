//! Turns the bytes of the inputs into records. [`validate`] makes passes over all inputs to find
//! the problems, and its [`ValidatedInput`] reads the inputs again and returns the records. A
//! [`ContractCheck`] from the caller decides which records the server's contract can represent.

mod bytes;
mod csv;
mod detect;
mod excerpt;
mod fields;
mod file;
mod json;
mod options;
mod position;
mod problem;
mod reader;
#[cfg(test)]
mod tests;
mod validation;

pub(crate) use bytes::{InputSource, ReadLimits, StreamError};
pub use options::InputFormat;
pub(crate) use options::{FieldSelector, InputOptions, JsonPointer, REJECTS_HEADER};
pub(crate) use position::FilePosition;
pub(crate) use problem::{A_NUMBER, Field, Problem, ProblemKind, UnsupportedFormat};
pub(crate) use validation::{
    ContractCheck, DuplicatePolicy, ExpirationCounts, ExpiringRecord, Records, ValidatedInput,
    ValidationCounts, ValidationRules, validate,
};
