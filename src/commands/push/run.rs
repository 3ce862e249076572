//! The steps of a push.

use super::{
    changes::ChangesFile,
    context::Run,
    deliver::deliver,
    outputs::Outputs,
    plan::{DryRun, MetricsPlan, Plan},
    selection::{preview, select},
    verdict::judge,
};
use crate::{
    diagnostics::Failure,
    report::{MetricsFile, Summary},
};

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    let mut summary = Summary::new("push", Some(plan.destination.to_string()));
    let mut metrics = None;
    let mut carry_out = || {
        if let Some(options) = plan.dry_run {
            return dry_run(plan, options, &mut summary);
        }
        let open = |plan: &MetricsPlan| MetricsFile::open(&plan.path, &plan.labels);
        metrics = plan.metrics.as_ref().map(open).transpose()?;
        push(plan, &mut summary)
    };
    let result = carry_out();
    summary.finish(result.err());
    if let Some(metrics) = metrics
        && let Err(failure) = metrics.write(&summary)
    {
        let failure = failure.and(summary.error.take());
        summary.finish(Some(failure));
    }
    plan.terminal.print_summary(&summary)
}

fn push(plan: &Plan, summary: &mut Summary) -> Result<(), Failure> {
    let mut run = Run::prepare(plan, summary)?;
    let contract = run.load_contract()?;
    let mut outputs = Outputs::open(&run)?;
    let mut input = match run.validate(&contract) {
        Ok(input) => input,
        Err(failure) => return outputs.close(Err(failure), run.summary),
    };
    let selected = outputs
        .open_ledger(&run)
        .and_then(|()| select(&mut run, &mut outputs, &mut input));
    let result = match selected {
        Ok(selected) => deliver(&mut run, selected, &mut outputs, &mut input)
            .and_then(|outcome| judge(&run, outcome, &mut input)),
        Err(failure) => {
            outputs.reject_unsent(&failure, run.summary.records.unsent, &mut input);
            Err(failure)
        }
    };
    outputs.close(result, run.summary)?;
    run.verify_rehearsal(&mut input)
}

/// Validates the input and selects records as a push does, but contacts no server and writes no file
/// except the changes. The command line refuses `--dry-run` with `--rehearse` or `--reflection`.
fn dry_run(plan: &Plan, options: DryRun, summary: &mut Summary) -> Result<(), Failure> {
    let mut run = Run::prepare(plan, summary)?;
    let contract = run.load_contract()?;
    let mut changes = ChangesFile::open(&run)?;
    let validated = run.validate(&contract);
    let result = validated.and_then(|mut input| preview(&mut run, changes.as_mut(), &mut input));
    match changes {
        Some(changes) => changes.close(result)?,
        None => result?,
    }
    summary.mark_dry_run(options.has_detailed_exit_code);
    Ok(())
}
