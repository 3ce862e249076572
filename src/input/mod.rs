//! Bytes to records, with a position on every problem.

mod bytes;
mod class;
mod csv;
mod detect;
mod fields;
mod file;
mod json;
mod limits;
mod options;
mod problem;
mod reader;
#[cfg(test)]
mod tests;
mod validation;

pub(crate) use bytes::{Origin, ReadLimits};
pub(crate) use class::ProblemClass;
pub(crate) use detect::DetectedFormat;
pub(crate) use limits::MAX_RECORD_BYTES;
pub use options::InputFormat;
pub(crate) use options::{FieldSelector, InputOptions, JsonPointer};
pub(crate) use problem::{
    ContractViolation, Excerpt, Field, JsonKind, Position, Problem, ProblemKind, UnsupportedFormat,
};
pub(crate) use validation::{
    ContractCheck, DuplicatePolicy, EXPIRATION_HORIZONS_DAYS, ExpirationCounts, RecordCounts,
    Records, ValidatedInput, ValidationRules, validate,
};
