//! What makes a well-formed record one that is refused.

use super::{
    super::{bytes::Patience, problem::ProblemKind},
    duplicates::OnDuplicate,
};
use crate::{contract::Contract, record::Record};

/// What a record must be beyond being well-formed.
pub(crate) struct Rules<'r> {
    /// Unix seconds.
    pub(crate) now: u64,
    /// Whether a time before now is an error.
    pub(crate) refuse_past: bool,
    pub(crate) on_duplicate: OnDuplicate,
    /// How many problems are kept; all are counted.
    pub(crate) max_shown: usize,
    /// What its request is like, and the most bytes that it may add to one.
    pub(crate) request: Option<(&'r Contract, usize)>,
    pub(crate) patience: Patience,
}

impl Default for Rules<'_> {
    /// What is asked of records without any flag, and of no server.
    fn default() -> Self {
        Self {
            now: 0,
            refuse_past: false,
            on_duplicate: OnDuplicate::Error,
            max_shown: 20,
            request: None,
            patience: Patience::default(),
        }
    }
}

impl Rules<'_> {
    /// What is wrong with a record that is well-formed.
    pub(in crate::input) fn refusal(&self, record: &Record<'_>) -> Option<ProblemKind> {
        if self.refuse_past && u64::from(record.expires.as_unix()) < self.now {
            return Some(ProblemKind::Past(record.expires));
        }
        let (contract, limit) = self.request?;
        if let Some(unfit) = contract.unfit(record) {
            return Some(ProblemKind::Unfit(unfit));
        }
        // Of nearly all records this need not be known exactly.
        if record.token.as_bytes().len() + Contract::FRAMING <= limit {
            return None;
        }
        let bytes = contract.record_len(record);
        (bytes > limit).then_some(ProblemKind::TooLarge { bytes, limit })
    }
}
