//! The rules that a well-formed record must meet to be sent.

use super::{
    super::{bytes::ReadLimits, problem::ProblemKind},
    duplicates::DuplicatePolicy,
};
use crate::record::{ContractViolation, Record};

pub(crate) struct ValidationRules<'r> {
    /// The current time in Unix seconds.
    pub(crate) now: u64,
    pub(crate) refuses_past: bool,
    pub(crate) on_duplicate: DuplicatePolicy,
    pub(crate) max_problems: usize,
    pub(crate) contract_check: Option<ContractCheck<'r>>,
    pub(crate) read_limits: ReadLimits,
}

pub(crate) struct ContractCheck<'r> {
    /// The length, in bytes, up to which every token is accepted without calling `find_violation`.
    pub(crate) unchecked_token_bytes: usize,
    pub(crate) find_violation: Box<FindViolation<'r>>,
}

pub(crate) type FindViolation<'r> = dyn Fn(&Record<'_>) -> Option<ContractViolation> + Sync + 'r;

impl Default for ValidationRules<'_> {
    fn default() -> Self {
        Self {
            now: 0,
            refuses_past: false,
            on_duplicate: DuplicatePolicy::Error,
            max_problems: 20,
            contract_check: None,
            read_limits: ReadLimits::default(),
        }
    }
}

impl ValidationRules<'_> {
    pub(in crate::input) fn find_problem(&self, record: &Record<'_>) -> Option<ProblemKind> {
        if self.refuses_past && u64::from(record.expire_time.as_unix()) < self.now {
            return Some(ProblemKind::ExpireTimePassed(record.expire_time));
        }
        let check = self.contract_check.as_ref()?;
        if record.token.as_bytes().len() <= check.unchecked_token_bytes {
            return None;
        }
        (check.find_violation)(record).map(ProblemKind::ContractViolation)
    }
}
