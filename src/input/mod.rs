//! Reading of inputs, from bytes to records, with a position for every problem.
//!
//! [`validate`] reads all inputs once to find every problem. The result, [`ValidatedInput`], reads
//! them again for use. This module does not know the contract with the server: a [`ContractCheck`]
//! of the caller decides which records the contract can represent.

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

pub(crate) use bytes::{Origin, ReadLimits};
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
    ContractCheck, DuplicatePolicy, EXPIRATION_HORIZONS_DAYS, ExpirationCounts, RecordCounts,
    Records, ValidatedInput, ValidationRules, validate,
};
