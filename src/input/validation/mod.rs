//! The validation of all inputs before anything is sent: it finds every problem and the duplicates,
//! and leaves the records that are to be sent.
//!
//! [`mod@validate`] runs the readings. [`first_reading`] finds all problems of single records,
//! [`duplicates`] finds the tokens that occur more than once, with equal or different times, and
//! [`further_readings`] reads the inputs again for it. [`findings`] and [`problem_log`] collect the
//! results, and [`validated_input`] returns the valid records.

mod chunks;
mod counts;
mod duplicates;
mod expirations;
mod findings;
mod first_reading;
mod further_readings;
mod problem_log;
mod record_set;
mod records;
mod rules;
mod validate;
mod validated_input;

pub(crate) use counts::RecordCounts;
pub(crate) use duplicates::DuplicatePolicy;
pub(crate) use expirations::{EXPIRATION_HORIZONS_DAYS, ExpirationCounts};
pub(crate) use records::Records;
pub(crate) use rules::{ContractCheck, ValidationRules};
pub(crate) use validate::validate;
pub(crate) use validated_input::ValidatedInput;
