//! Which records are this push's to send.

use std::path::PathBuf;

use super::{Plan, outputs::Outputs};
use crate::{
    client::Target,
    contract::Contract,
    diagnostics::{self, Failure},
    input::ValidatedInput,
    ledger::{Comparison, KnownTimes},
    record::Record,
};

/// What `--ledger` and its kin ask for.
#[derive(Clone, Debug)]
pub(crate) struct LedgerPlan {
    pub(crate) path: PathBuf,
    /// Whether unchanged records are sent all the same.
    pub(crate) full: bool,
    pub(crate) max_changes: Option<MaxChanges>,
    pub(crate) refuse_shortened: bool,
    pub(crate) lock_timeout: std::time::Duration,
}

/// How many known tokens may get another time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MaxChanges {
    Number(u64),
    /// Of the records that were read.
    Percent(f64),
}

/// What is left to send, and what is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) sends: u64,
    pub(super) unchanged: u64,
    pub(super) other_shard: u64,
}

/// Leaves out what is another machine's, and what the server has acknowledged before.
pub(super) fn select(
    plan: &Plan,
    target: &Target,
    contract: &Contract,
    outputs: &mut Outputs,
    input: &mut ValidatedInput,
) -> Result<Selection, Failure> {
    let valid = input.counts.valid();
    let known = outputs.known(plan, target, contract)?;
    let mut known = known.filter(|known| !known.is_empty());
    if plan.shard.is_whole() && known.is_none() {
        return Ok(Selection {
            sends: valid,
            ..Selection::default()
        });
    }
    let ledger = plan.ledger.as_ref();
    let mut found = Found {
        selection: Selection::default(),
        changed: 0,
        shortened: 0,
        examples: Vec::new(),
        most_examples: plan.input.max_errors,
    };
    let full = ledger.is_some_and(|ledger| ledger.full);
    input
        .retain(|record| {
            if !plan.shard.contains(&record.token) {
                found.selection.other_shard += 1;
                return false;
            }
            let is_same = known
                .as_mut()
                .is_some_and(|known| found.compare(known, record));
            if is_same && !full {
                found.selection.unchanged += 1;
                return false;
            }
            true
        })
        .map_err(|problem| diagnostics::input_changed(&problem))?;
    let mut selection = found.selection;
    selection.sends = valid - selection.unchanged - selection.other_shard;
    if let Some(ledger) = ledger {
        found.check(ledger, input.counts.read)?;
    }
    if let Some(known) = known.filter(|_| selection.sends > 0) {
        outputs.doubt(&known)?;
    }
    Ok(selection)
}

struct Found {
    selection: Selection,
    /// KnownTimes tokens with another time.
    changed: u64,
    /// Those of them with an earlier one.
    shortened: u64,
    examples: Vec<String>,
    most_examples: usize,
}

impl Found {
    /// Whether the server has acknowledged this very record.
    fn compare(&mut self, known: &mut KnownTimes, record: &Record<'_>) -> bool {
        let expire_time = record.expire_time.as_unix();
        match known.compare(record.token.as_bytes(), expire_time) {
            Comparison::Unchanged => return true,
            Comparison::New | Comparison::Unconfirmed => {}
            Comparison::Changed { previous } => {
                self.changed += 1;
                if expire_time < previous {
                    self.shortened += 1;
                    self.example(record, previous);
                }
            }
        }
        false
    }

    fn example(&mut self, record: &Record<'_>, before: u32) {
        if self.examples.len() < self.most_examples {
            let (before, now) = (
                diagnostics::format_timestamp(before.into()),
                diagnostics::format_timestamp(record.expire_time.as_unix().into()),
            );
            self.examples
                .push(format!("{}: {before} becomes {now}", record.token));
        }
    }

    fn check(self, ledger: &LedgerPlan, read: u64) -> Result<(), Failure> {
        if ledger.refuse_shortened && self.shortened > 0 {
            return Err(diagnostics::expirations_shortened(
                self.shortened,
                self.examples,
            ));
        }
        match ledger.max_changes {
            Some(rail) if self.changed > rail.of(read) => Err(diagnostics::too_many_changes(
                self.changed,
                rail.of(read),
                &rail.to_string(),
            )),
            _ => Ok(()),
        }
    }
}

impl MaxChanges {
    fn of(self, read: u64) -> u64 {
        match self {
            Self::Number(number) => number,
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a share of a count, rounded down"
            )]
            Self::Percent(percent) => (read as f64 * percent / 100.0) as u64,
        }
    }
}

impl std::fmt::Display for MaxChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}
