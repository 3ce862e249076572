//! The rules that a well-formed record must meet to be sent.

use super::{
    super::{
        bytes::ReadLimits,
        problem::{ContractViolation, ProblemKind},
    },
    duplicates::DuplicatePolicy,
};
use crate::record::Record;

/// The rules of one validation, beyond a record being well-formed.
pub(crate) struct ValidationRules<'r> {
    /// The current time in Unix seconds.
    pub(crate) now: u64,
    /// Whether an expiration time before `now` is an error.
    pub(crate) refuses_past: bool,
    pub(crate) on_duplicate: DuplicatePolicy,
    /// The number of problems that are kept for messages. All problems are counted.
    pub(crate) max_problems: usize,
    /// The check against the server's contract; `None` accepts every well-formed record.
    pub(crate) contract_check: Option<ContractCheck<'r>>,
    pub(crate) read_limits: ReadLimits,
}

/// A check of each record against the server's contract.
///
/// The caller provides it as a closure, so that reading input does not depend on the encoding of
/// requests.
pub(crate) struct ContractCheck<'r> {
    /// The largest token, in bytes, whose record needs no call of `find_violation`. Nearly all
    /// records pass by this comparison alone; 0 has every record checked.
    pub(crate) unchecked_token_bytes: usize,
    pub(crate) find_violation: &'r FindViolation<'r>,
}

/// Returns the reason why a request cannot hold the record, if there is one.
pub(crate) type FindViolation<'r> = dyn Fn(&Record<'_>) -> Option<ContractViolation> + Sync + 'r;

impl Default for ValidationRules<'_> {
    /// The rules without any command-line option and without a server.
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
    /// Returns the rule that a well-formed record breaks.
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
