//! Counts of records by the result of validation.

use std::collections::BTreeMap;

use crate::input::problem_kind::ProblemClass;

/// Counts of the records of all inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ValidationCounts {
    pub(crate) read: u64,
    pub(crate) invalid: u64,
    /// Valid records that are not sent, because a different record with the same token is sent.
    pub(crate) duplicate: u64,
    /// Inputs that could not be read to the end.
    pub(crate) unreadable_inputs: u64,
    /// Invalid records by the class of their problem.
    pub(crate) by_class: BTreeMap<ProblemClass, u64>,
}

impl ValidationCounts {
    /// Returns the number of records that can be sent.
    pub(crate) fn valid(&self) -> u64 {
        self.read - self.invalid - self.duplicate
    }

    pub(in crate::input) fn add_all(&mut self, others: Self) {
        self.read += others.read;
        self.invalid += others.invalid;
        self.duplicate += others.duplicate;
        self.unreadable_inputs += others.unreadable_inputs;
        for (class, count) in others.by_class {
            *self.by_class.entry(class).or_default() += count;
        }
    }
}
