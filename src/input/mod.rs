//! The parser that turns the bytes of the inputs into records and reports the problems.
//!
//! An input is a file, standard input or bytes in memory. A pass reads an input from its start.
//! [`validate`] makes one pass over every input to find the problems, and further passes only if a
//! token seems to occur more than once. The result, a [`ValidatedInput`], reads the inputs again
//! and returns the records. This module does not know the server's contract: a [`ContractCheck`]
//! from the caller decides which records the contract can represent.

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
pub(crate) use options::{FieldSelector, InputOptions, JsonPointer};
pub(crate) use position::FilePosition;
pub(crate) use problem::{Field, JsonKind, Problem, ProblemKind, UnsupportedFormat};
pub(crate) use validation::{
    ContractCheck, DuplicatePolicy, ExpirationCounts, Records, ValidatedInput, ValidationCounts,
    ValidationRules, validate,
};
