//! The first reading of all inputs, which finds every problem, and what it leaves to be sent.

mod chunks;
mod duplicates;
mod expiry;
mod first_reading;
mod problem_log;
mod records;
mod rules;

pub(crate) use duplicates::OnDuplicate;
pub(crate) use expiry::{Expiry, HORIZONS};
pub(crate) use first_reading::{Counts, Validated, validate};
pub(crate) use records::Records;
pub(crate) use rules::Rules;
