//! The first reading of all inputs, which finds every problem, and what it leaves to be sent.

mod chunks;
mod duplicates;
mod expiry;
mod first_reading;
mod problem_log;
mod records;
mod rules;

pub(crate) use duplicates::DuplicatePolicy;
pub(crate) use expiry::{EXPIRATION_HORIZONS_DAYS, ExpirationCounts};
pub(crate) use first_reading::{RecordCounts, ValidatedInput, validate};
pub(crate) use records::Records;
pub(crate) use rules::{ContractCheck, ValidationRules};
