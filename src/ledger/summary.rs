//! [`list_targets`]: the content of a ledger, summarized for `ledger show`.

use std::{collections::BTreeMap, path::Path};

use super::{
    access::open_to_read,
    entry::LedgerEntry,
    error::LedgerError,
    runs::{self, RunSummary},
    schema, segments,
    target::load_targets,
};

/// A summary of the entries and runs of one target.
#[derive(Clone, Debug)]
pub(crate) struct TargetSummary {
    pub(crate) authority: String,
    pub(crate) method: String,
    /// Number of tokens with an acknowledged expiration time.
    pub(crate) tokens: u64,
    /// The time when a push last succeeded, in Unix seconds. `None` if no push succeeded.
    pub(crate) last_success: Option<i64>,
    /// The earliest expiration times, in ascending order.
    pub(crate) next_expirations: Vec<ExpirationCount>,
    /// The last pushes, the latest first.
    pub(crate) runs: Vec<RunSummary>,
}

/// An expiration time, and the number of tokens that have this expiration time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpirationCount {
    /// The expiration time, in Unix seconds.
    pub(crate) expire_time: i64,
    pub(crate) tokens: u64,
}

const MAX_EXPIRATIONS: usize = 5;
const MAX_SHOWN_RUNS: u32 = 10;

/// Returns the summaries of all targets of a ledger, sorted by authority and method.
pub(crate) fn list_targets(path: &Path) -> Result<Vec<TargetSummary>, LedgerError> {
    let ledger = open_to_read(path)?;
    let connection = &ledger.connection;
    if schema::is_empty(connection)? {
        return Ok(Vec::new());
    }
    let mut targets = Vec::new();
    for target in load_targets(connection)? {
        let entries = segments::load(connection, target.id)?;
        targets.push(TargetSummary {
            authority: target.authority,
            method: target.method,
            tokens: entries.len() as u64,
            last_success: runs::last_success(connection, target.id)?,
            next_expirations: next_expirations(&entries),
            runs: runs::load_last(connection, target.id, MAX_SHOWN_RUNS)?,
        });
    }
    Ok(targets)
}

fn next_expirations(entries: &[LedgerEntry]) -> Vec<ExpirationCount> {
    let mut tokens_by_time = BTreeMap::new();
    for entry in entries {
        *tokens_by_time.entry(entry.expire_time).or_default() += 1;
    }
    let earliest = tokens_by_time.into_iter().take(MAX_EXPIRATIONS);
    earliest
        .map(|(expire_time, tokens)| ExpirationCount {
            expire_time: expire_time.into(),
            tokens,
        })
        .collect()
}
