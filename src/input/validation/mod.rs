//! Validates all inputs before anything is sent. A skipped record is a valid record that is not
//! sent, for example a duplicate. The index of a valid record is its number among the valid records
//! of all inputs, counted from 0.

mod duplicates;
mod expirations;
mod expiring;
mod findings;
mod first_pass;
mod record_set;
mod records;
mod rules;
#[cfg(test)]
mod tests;
mod token_hashes;
mod validate;

pub(crate) use duplicates::DuplicatePolicy;
pub(crate) use expirations::ExpirationCounts;
pub(crate) use expiring::ExpiringRecord;
pub(crate) use findings::ValidationCounts;
pub(crate) use records::Records;
pub(crate) use rules::{ContractCheck, ValidationRules};
pub(crate) use validate::{ValidatedInput, validate};
