//! Selects the records that a push sends: those of this shard that the server has not acknowledged
//! according to the ledger. Refuses a push that changes more expiration times in the ledger than
//! `--max-changes` and `--refuse-shortened` allow.

use super::{context::Run, outputs::Outputs, plan::LedgerPlan};
use crate::{
    diagnostics::{self, Failure},
    input::ValidatedInput,
    ledger::{self, EntryStatus, KnownTimes},
    record::Record,
};

/// Restricts the input to the records of the selection, and marks the ledger entries that this push
/// will change as unconfirmed. Returns the number of selected records.
pub(super) fn select(
    run: &mut Run<'_>,
    outputs: &mut Outputs<'_>,
    input: &mut ValidatedInput,
) -> Result<u64, Failure> {
    let Some(ledger) = &mut outputs.ledger else {
        return select_with(None, run, input);
    };
    let mut known = ledger.known_times()?;
    let selected = select_with(Some(&mut known), run, input)?;
    if selected > 0 {
        ledger.mark_unconfirmed(&known)?;
    }
    Ok(selected)
}

/// Selects as a push would, but only reads the ledger.
pub(super) fn preview(run: &mut Run<'_>, input: &mut ValidatedInput) -> Result<(), Failure> {
    let mut known = match (&run.plan.ledger, run.ledger_key()) {
        (Some(LedgerPlan { path, .. }), Some(key)) => {
            let known = ledger::read_known_times(path, &key);
            Some(known.map_err(|error| diagnostics::ledger_unusable(path, &error))?)
        }
        _ => None,
    };
    select_with(known.as_mut(), run, input).map(drop)
}

fn select_with(
    known: Option<&mut KnownTimes>,
    run: &mut Run<'_>,
    input: &mut ValidatedInput,
) -> Result<u64, Failure> {
    let plan = run.plan;
    let ledger = plan.ledger.as_ref();
    let sends_unchanged = ledger.is_some_and(|ledger| ledger.sends_unchanged);
    let mut known = known.filter(|known| !known.is_empty());
    let mut changes = Changes::default();
    let (mut unchanged, mut other_shard) = (0, 0);
    if known.is_some() || !plan.shard.is_whole() {
        let retained = input.retain(|record| {
            if !plan.shard.contains(&record.token) {
                other_shard += 1;
                return false;
            }
            let is_unchanged = known
                .as_deref_mut()
                .is_some_and(|known| changes.is_unchanged(record, known, plan.input.max_errors));
            let is_skipped = is_unchanged && !sends_unchanged;
            unchanged += u64::from(is_skipped);
            !is_skipped
        });
        retained.map_err(|problem| {
            let failure = diagnostics::input_not_read_again(&problem);
            run.interrupts.explain(failure)
        })?;
    }
    if let Some(ledger) = ledger {
        changes.check(ledger, input.counts.read)?;
    }
    run.summary.add_selection(unchanged, other_shard);
    // All selected records are still unsent.
    Ok(run.summary.records.unsent)
}

/// The tokens whose expiration time in the input differs from the one in the ledger.
#[derive(Default)]
struct Changes {
    changed: u64,
    /// How many of the changed tokens expire earlier than in the ledger.
    shortened: u64,
    /// Descriptions of the first tokens that expire earlier than in the ledger.
    examples: Vec<String>,
}

impl Changes {
    /// Returns whether the server has this expiration time for the token: `false` for an unconfirmed
    /// entry, because the time of the server is unknown. Counts the record if the server has
    /// acknowledged a different time.
    fn is_unchanged(
        &mut self,
        record: &Record<'_>,
        known: &mut KnownTimes,
        max_examples: usize,
    ) -> bool {
        let time = record.expire_time.as_unix();
        let previous = match known.compare(record.token.as_bytes(), time) {
            EntryStatus::Unchanged => return true,
            EntryStatus::New | EntryStatus::Unconfirmed => return false,
            EntryStatus::Changed { previous } => previous,
        };
        self.changed += 1;
        if time < previous {
            self.shortened += 1;
            if self.examples.len() < max_examples {
                let [before, now] =
                    [previous, time].map(|time| diagnostics::format_timestamp(time.into()));
                self.examples
                    .push(format!("{}: {before} becomes {now}", record.token));
            }
        }
        false
    }

    fn check(self, ledger: &LedgerPlan, records_read: u64) -> Result<(), Failure> {
        if ledger.refuses_shortened && self.shortened > 0 {
            let (shortened, examples) = (self.shortened, self.examples);
            return Err(diagnostics::expirations_shortened(shortened, examples));
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
