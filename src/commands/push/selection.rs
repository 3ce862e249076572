//! Selects the records that a push sends: those of this shard that the server has not acknowledged
//! according to the ledger.

use super::{
    changes::ChangesFile, context::Run, guards::Comparison, ledger::Ledger, outputs::Outputs,
    plan::LedgerPlan,
};
use crate::{
    diagnostics::{self, Failure},
    input::ValidatedInput,
    ledger::{self, KnownTimes},
};

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
    let mut comparison = plan
        .ledger
        .as_ref()
        .zip(known.as_deref_mut())
        .map(|(ledger, known)| Comparison::new(ledger, known, plan.input.max_errors));
    let knows_tokens = comparison
        .as_ref()
        .is_some_and(|comparison| !comparison.known.is_empty());
    if let Some(comparison) = &comparison
        && let Some(warning) = comparison.address_warning(&run.server.target)
    {
        plan.terminal.warning(&warning);
    }
    let (mut unchanged, mut other_shard) = (0, 0);
    if knows_tokens || !plan.shard.is_whole() {
        let retained = input.retain(|location, record| {
            if !plan.shard.contains(&record.token) {
                other_shard += 1;
                if let Some(comparison) = &mut comparison {
                    comparison.known.mark_found(record.token.as_bytes());
                }
                return false;
            }
            let is_unchanged = comparison
                .as_mut()
                .is_some_and(|comparison| comparison.is_unchanged(&location, record));
            unchanged += u64::from(is_unchanged);
            !is_unchanged
        });
        retained.map_err(|problem| {
            let failure = diagnostics::input_not_read_again(&problem);
            run.interrupts.explain(failure)
        })?;
    }
    if let Some(comparison) = comparison {
        let counts = comparison.counts();
        run.summary.ledger = Some(counts);
        if counts.missing > 0 {
            let note = diagnostics::describe_missing(counts.missing, counts.known);
            plan.terminal.note(&note);
        }
        comparison.check(counts, input.counts.read)?;
    }
    run.summary.add_selection(unchanged, other_shard);
    if let Some(changes) = changes {
        changes.write(run, known, input)?;
    }
    // All selected records are still unsent.
    Ok(run.summary.records.unsent)
}
