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
mod field_names;
mod field_parser;
mod file;
mod json;
mod limits;
mod options;
mod problem;
mod problem_class;
mod reader;
#[cfg(test)]
mod tests;
mod validation;

pub(crate) use bytes::{InputSource, ReadLimits};
pub(crate) use detect::DetectedFormat;
pub(crate) use excerpt::Excerpt;
pub(crate) use limits::MAX_RECORD_BYTES;
pub use options::InputFormat;
pub(crate) use options::{FieldSelector, InputOptions, JsonPointer};
pub(crate) use problem::{
    ContractViolation, Field, FilePosition, JsonKind, Position, Problem, ProblemKind,
    UnsupportedFormat,
};
pub(crate) use problem_class::ProblemClass;
pub(crate) use validation::{
    ContractCheck, DuplicatePolicy, EXPIRATION_HORIZONS_DAYS, ExpirationCounts, Records,
    ValidatedInput, ValidationCounts, ValidationRules, validate,
};
