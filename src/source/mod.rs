//! Bytes to records, with a position on every error.

mod class;
mod compression;
mod content;
mod csv;
mod duplicates;
mod expiry;
mod fields;
mod first;
mod input;
mod json;
mod options;
mod patience;
mod pieces;
mod problem;
mod records;
mod rows;
mod rules;
mod sniff;
#[cfg(test)]
mod tests;
mod validate;
mod window;

pub(crate) use class::Class;
pub(crate) use content::Origin;
pub(crate) use duplicates::OnDuplicate;
pub(crate) use expiry::{Expiry, HORIZONS};
pub(crate) use input::Form;
pub use options::Format;
pub(crate) use options::{FieldRef, Options, Pointer};
pub(crate) use patience::Patience;
pub(crate) use problem::{Excerpt, Field, JsonKind, Lookalike, Position, Problem, ProblemKind};
pub(crate) use records::Records;
pub(crate) use rules::Rules;
pub(crate) use validate::{Counts, Validated, validate};

/// The longest record that is read, in bytes of its text.
pub(crate) const LARGEST_RECORD: usize = 1 << 20;

/// The longest line without its line feed: what was read may end between that and the carriage
/// return.
const LONGEST_LINE: usize = LARGEST_RECORD + 1;

/// What is longer may have no end: it is no bad record among others, and nothing behind it is read.
const ENDLESS_LINE: usize = 64 * LARGEST_RECORD;
