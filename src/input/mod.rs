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

pub(crate) use bytes::{Origin, Patience};
pub(crate) use class::Class;
pub(crate) use file::Form;
pub(crate) use limits::LARGEST_RECORD;
pub use options::Format;
pub(crate) use options::{FieldRef, Options, Pointer};
pub(crate) use problem::{Excerpt, Field, JsonKind, Lookalike, Position, Problem, ProblemKind};
pub(crate) use validation::{
    Counts, Expiry, HORIZONS, OnDuplicate, Records, Rules, Validated, validate,
};
