//! Selects the records that a push sends: those of this shard that the server has not acknowledged
//! according to the ledger.

use super::{
    changes::ChangesFile, context::Run, guards::Comparison, ledger::Ledger, outputs::Outputs,
    plan::LedgerPlan,
};
use crate::{
    diagnostics::{self, Failure},
    input::ValidatedInput,
    ledger::{self, Digest, KnownTimes, TokenDigester},
    record::Record,
};

#[derive(Default)]
struct Selection<'p, 'k> {
    /// `None` without a ledger.
    comparison: Option<Comparison<'p, 'k>>,
    unchanged: u64,
    other_shard: u64,
}

/// The properties of a record that decide whether it is selected.
struct Candidate {
    is_in_shard: bool,
    /// Zeros if no record needs a digest.
    digest: Digest,
    expire_time: u32,
}

/// Restricts the input to the records of the selection, writes the changes file, and marks the ledger
/// entries that this push will change as unconfirmed. Returns the number of selected records.
///
/// A refused push does not change the ledger's address of the server, so that the next push warns
/// again.
pub(super) fn select(
    run: &mut Run<'_>,
    outputs: &mut Outputs<'_>,
    input: &mut ValidatedInput,
) -> Result<u64, Failure> {
    let known = outputs.ledger.as_ref().map(Ledger::known_times);
    let mut known = known.transpose()?;
    let selected = select_with(known.as_mut(), run, outputs.changes.as_mut(), input)?;
    if let (Some(ledger), Some(known)) = (&mut outputs.ledger, known) {
        ledger.begin_sending(&known, selected, &run.server.target.endpoint.to_string())?;
    }
    Ok(selected)
}

/// Selects as a push would, but only reads the ledger.
pub(super) fn preview(
    run: &mut Run<'_>,
    changes: Option<&mut ChangesFile<'_>>,
    input: &mut ValidatedInput,
) -> Result<(), Failure> {
    let mut known = match (&run.plan.ledger, run.ledger_key()) {
        (Some(LedgerPlan { path, .. }), Some(key)) => {
            let known = ledger::read_known_times(path, &key);
            Some(known.map_err(|error| diagnostics::ledger_unusable(path, &error))?)
        }
        _ => None,
    };
    select_with(known.as_mut(), run, changes, input).map(drop)
}

fn select_with(
    mut known: Option<&mut KnownTimes>,
    run: &mut Run<'_>,
    changes: Option<&mut ChangesFile<'_>>,
    input: &mut ValidatedInput,
) -> Result<u64, Failure> {
    let plan = run.plan;
    let mut selection = Selection::default();
    if let (Some(ledger), Some(known)) = (&plan.ledger, known.as_deref_mut()) {
        let comparison = Comparison::new(ledger, known, plan.input.max_errors);
        if let Some(warning) = comparison.address_warning(&run.server.target) {
            plan.terminal.warning(&warning);
        }
        selection.comparison = Some(comparison);
    }
    let not_read_again = |problem| {
        let failure = diagnostics::input_not_read_again(&problem);
        run.interrupts.explain(failure)
    };
    let mut digester = selection.digester();
    if digester.is_some() || !plan.shard.is_whole() {
        let summarize = |record: &Record<'_>| Candidate {
            is_in_shard: plan.shard.contains(&record.token),
            digest: match &mut digester {
                Some(digester) => digester.digest(record.token.as_bytes()),
                None => Digest::default(),
            },
            expire_time: record.expire_time.as_unix(),
        };
        let retained = input.retain(summarize, |batch| selection.select(batch));
        retained.map_err(not_read_again)?;
    }
    if let Some(comparison) = selection.comparison {
        let counts = comparison.counts();
        run.summary.ledger = Some(counts);
        if counts.missing > 0 {
            let note = diagnostics::describe_missing(counts.missing, counts.known);
            plan.terminal.note(&note);
        }
        let refused = comparison.check(counts, input).map_err(not_read_again)?;
        if let Some(failure) = refused {
            return Err(failure);
        }
    }
    run.summary
        .add_selection(selection.unchanged, selection.other_shard);
    if let Some(changes) = changes {
        changes.write(run, known, input)?;
    }
    // All selected records are still unsent.
    Ok(run.summary.records.unsent)
}

impl Selection<'_, '_> {
    /// Returns `None` if no record needs a digest, because there is no ledger or it knows no tokens.
    fn digester(&self) -> Option<TokenDigester> {
        let known = &self.comparison.as_ref()?.known;
        (!known.is_empty()).then(|| known.digester())
    }

    /// Returns which records of a batch are selected.
    fn select(&mut self, batch: &[Candidate]) -> Vec<bool> {
        let digests: Vec<_> = batch.iter().map(|candidate| candidate.digest).collect();
        let entries = match &mut self.comparison {
            Some(comparison) => comparison.known.find_all(&digests),
            None => vec![None; batch.len()],
        };
        let selected = batch.iter().zip(entries).map(|(candidate, entry)| {
            if !candidate.is_in_shard {
                self.other_shard += 1;
                return false;
            }
            let is_unchanged = self
                .comparison
                .as_mut()
                .is_some_and(|comparison| comparison.is_unchanged(entry, candidate.expire_time));
            self.unchanged += u64::from(is_unchanged);
            !is_unchanged
        });
        selected.collect()
    }
}
