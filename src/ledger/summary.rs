//! [`LedgerSummary`]: the content of a ledger, for `ledger show`. All times are Unix seconds.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use super::{
    entry::LedgerEntry,
    error::LedgerError,
    runs::{self, Run},
    schema::FORMAT,
    segments,
    target::load_targets,
};

/// The targets of a ledger, sorted by authority and method.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LedgerSummary {
    pub(crate) targets: Vec<TargetSummary>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct TargetSummary {
    #[serde(rename = "target")]
    pub(crate) authority: String,
    pub(crate) method: String,
    /// Number of tokens with an acknowledged expiration time.
    pub(crate) tokens: u64,
    pub(crate) last_success: Option<i64>,
    /// The earliest expiration times, in ascending order.
    #[serde(rename = "soonest")]
    pub(crate) next_expirations: Vec<ExpirationCount>,
    /// The last pushes, the latest first.
    pub(crate) runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ExpirationCount {
    pub(crate) expire_time: u32,
    pub(crate) tokens: u64,
}

const MAX_EXPIRATIONS: usize = 5;
const MAX_SHOWN_RUNS: u32 = 10;

pub(crate) fn summarize(path: &Path) -> Result<LedgerSummary, LedgerError> {
    let mut summary = LedgerSummary::default();
    let Some(connection) = FORMAT.open_to_read(path)? else {
        return Ok(summary);
    };
    for target in load_targets(&connection)? {
        let entries = segments::load(&connection, target.id)?;
        summary.targets.push(TargetSummary {
            authority: target.authority,
            method: target.method,
            tokens: entries.len() as u64,
            last_success: runs::last_success(&connection, target.id)?,
            next_expirations: next_expirations(&entries),
            runs: runs::load_last(&connection, target.id, MAX_SHOWN_RUNS)?,
        });
    }
    Ok(summary)
}

fn next_expirations(entries: &[LedgerEntry]) -> Vec<ExpirationCount> {
    let mut tokens_by_time = BTreeMap::new();
    for entry in entries {
        *tokens_by_time.entry(entry.expire_time).or_default() += 1;
    }
    tokens_by_time
        .into_iter()
        .take(MAX_EXPIRATIONS)
        .map(|(expire_time, tokens)| ExpirationCount {
            expire_time,
            tokens,
        })
        .collect()
}
