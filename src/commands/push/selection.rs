//! Selects the records that a push sends, and refuses a push that changes more expiration times in
//! the ledger than `--max-changes` and `--refuse-shortened` allow.
//!
//! The *selection* is the set of valid records that this push sends. A record is left out if it
//! belongs to a different shard. Without `--full`, a record is also left out if the server has
//! already acknowledged its expiration time.

use super::{
    outputs::Outputs,
    plan::{LedgerPlan, Plan},
};
use crate::{
    delivery::RemoteServer,
    diagnostics::{self, Failure},
    input::ValidatedInput,
    ledger::{EntryStatus, KnownTimes},
    record::Record,
};

/// The number of records in the selection, and the numbers of records that are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) selected: u64,
    /// Records whose expiration time the server acknowledged in an earlier push.
    pub(super) unchanged: u64,
    /// Records of other shards, which other machines send.
    pub(super) other_shard: u64,
}

/// Restricts the input to the records of the selection, and returns the counts.
///
/// # Errors
///
/// The ledger cannot be used, the input changed since its validation, or `--max-changes` or
/// `--refuse-shortened` does not allow the changes.
pub(super) fn select(
    plan: &Plan,
    server: &RemoteServer<'_>,
    outputs: &mut Outputs,
    input: &mut ValidatedInput,
) -> Result<Selection, Failure> {
    let valid = input.counts.valid();
    let known = outputs.known_times(plan, server)?;
    let mut known = known.filter(|known| !known.is_empty());
    if plan.shard.is_whole() && known.is_none() {
        return Ok(Selection {
            selected: valid,
            ..Selection::default()
        });
    }
    let ledger = plan.ledger.as_ref();
    let mut selection = Selection::default();
    let mut changes = Changes {
        changed: 0,
        shortened: 0,
        examples: Vec::new(),
        max_examples: plan.input.max_errors,
    };
    let sends_unchanged = ledger.is_some_and(|ledger| ledger.sends_unchanged);
    input
        .retain(|record| {
            if !plan.shard.contains(&record.token) {
                selection.other_shard += 1;
                return false;
            }
            let is_unchanged = known
                .as_mut()
                .is_some_and(|known| changes.is_unchanged(known, record));
            if is_unchanged && !sends_unchanged {
                selection.unchanged += 1;
                return false;
            }
            true
        })
        .map_err(|problem| diagnostics::input_changed(&problem))?;
    selection.selected = valid - selection.unchanged - selection.other_shard;
    if let Some(ledger) = ledger {
        changes.check(ledger, input.counts.read)?;
    }
    if let Some(known) = known.filter(|_| selection.selected > 0) {
        outputs.mark_unconfirmed(&known)?;
    }
    Ok(selection)
}

/// The number of tokens whose expiration time in the input differs from their expiration time in
/// the ledger.
struct Changes {
    changed: u64,
    /// The number of changed tokens that expire earlier than in the ledger.
    shortened: u64,
    /// Descriptions of the first `max_examples` tokens that expire earlier than in the ledger.
    examples: Vec<String>,
    max_examples: usize,
}

impl Changes {
    /// Returns whether the ledger shows that the server has this expiration time for the token of
    /// the record. An unconfirmed entry does not show this. If the server has acknowledged a
    /// different expiration time, counts the record as changed.
    fn is_unchanged(&mut self, known: &mut KnownTimes, record: &Record<'_>) -> bool {
        let expire_time = record.expire_time.as_unix();
        match known.compare(record.token.as_bytes(), expire_time) {
            EntryStatus::Unchanged => return true,
            EntryStatus::New | EntryStatus::Unconfirmed => {}
            EntryStatus::Changed { previous } => {
                self.changed += 1;
                if expire_time < previous {
                    self.shortened += 1;
                    self.add_example(record, previous);
                }
            }
        }
        false
    }

    fn add_example(&mut self, record: &Record<'_>, previous: u32) {
        if self.examples.len() < self.max_examples {
            let (before, now) = (
                diagnostics::format_timestamp(previous.into()),
                diagnostics::format_timestamp(record.expire_time.as_unix().into()),
            );
            self.examples
                .push(format!("{}: {before} becomes {now}", record.token));
        }
    }

    /// Returns a failure if the options do not allow the counted changes.
    fn check(self, ledger: &LedgerPlan, records_read: u64) -> Result<(), Failure> {
        if ledger.refuses_shortened && self.shortened > 0 {
            return Err(diagnostics::expirations_shortened(
                self.shortened,
                self.examples,
            ));
        }
        let Some(max_changes) = ledger.max_changes else {
            return Ok(());
        };
        let limit = max_changes.for_records(records_read);
        if self.changed > limit {
            let option = max_changes.to_string();
            return Err(diagnostics::too_many_changes(self.changed, limit, &option));
        }
        Ok(())
    }
}
