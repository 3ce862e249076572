//! The validation of all inputs before anything is sent. The validation finds every problem and
//! every duplicate, and determines the records to send.
//!
//! [`mod@validate`] runs the passes of the validation over the inputs. The first pass,
//! [`first_pass`], finds all problems of single records. Further passes, [`further_passes`],
//! run only if a token seems to occur more than once: [`duplicates`] compares the tokens and the
//! expiration times. [`findings`] and [`problem_log`] collect the results, and [`validated_input`]
//! returns the valid records.
//!
//! A skipped record is a valid record that is not sent, for example a duplicate. The index of a
//! valid record is its number among the valid records of all inputs, counted from 0.

mod chunks;
mod counts;
mod duplicates;
mod expirations;
mod findings;
mod first_pass;
mod further_passes;
mod problem_log;
mod record_set;
mod records;
mod rules;
mod validate;
mod validated_input;

pub(crate) use counts::ValidationCounts;
pub(crate) use duplicates::DuplicatePolicy;
pub(crate) use expirations::{EXPIRATION_HORIZONS_DAYS, ExpirationCounts};
pub(crate) use records::Records;
pub(crate) use rules::{ContractCheck, ValidationRules};
pub(crate) use validate::validate;
pub(crate) use validated_input::ValidatedInput;
