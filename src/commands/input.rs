//! What `push` and `check` do alike, so that they can't disagree.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::{
    contract::Contract,
    diagnostics::{Failure, warnings},
    input::{OnDuplicate, Options, Origin, Patience, Rules, Validated, validate},
    report::{self, Summary},
    signals::Signals,
    terminal::Output,
};

/// What to read, how, and what to refuse.
#[derive(Clone, Debug)]
pub(crate) struct InputPlan {
    pub(crate) origins: Vec<Origin>,
    pub(crate) options: Options,
    pub(crate) max_errors: usize,
    pub(crate) guards: Guards,
}

/// What well-formed input is refused for.
#[derive(Clone, Debug)]
pub(crate) struct Guards {
    pub(crate) on_duplicate: OnDuplicate,
    pub(crate) refuse_past: bool,
    /// Of records that would be pushed.
    pub(crate) min_records: Option<u64>,
    pub(crate) max_records: Option<u64>,
    pub(crate) fail_on_empty: bool,
}

/// Reads everything, and refuses it where anything is wrong, or where a signal comes.
pub(super) fn read(
    plan: &InputPlan,
    request: Option<(&Contract, usize)>,
    deadline: Option<Instant>,
    signals: &Signals,
    summary: &mut Summary,
    output: Output,
) -> Result<Validated, Failure> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let rules = Rules {
        now,
        refuse_past: plan.guards.refuse_past,
        on_duplicate: plan.guards.on_duplicate,
        max_shown: plan.max_errors,
        request,
        patience: Patience {
            deadline,
            stop: Some(signals.stop()),
        },
    };
    let validated = validate(&plan.origins, plan.options.clone(), &rules);
    for (name, form) in validated.forms() {
        output.detail(1, || report::form(name, form));
    }
    summary.input(&validated);
    if let Some(signal) = signals.arrived() {
        return Err(Failure::stopped(signal));
    }
    for warning in warnings(&validated) {
        output.warning(&warning);
    }
    if validated.is_refused() {
        return Err(Failure::refused(
            &validated.counts,
            &validated.problems,
            "sent",
        ));
    }
    plan.guards.check(&validated)?;
    if validated.counts.read == 0 {
        output.note("the input holds no record: nothing to do");
    }
    Ok(validated)
}

impl Guards {
    fn check(&self, validated: &Validated) -> Result<(), Failure> {
        let valid = validated.counts.valid();
        if self.fail_on_empty && validated.counts.read == 0 {
            return Err(Failure::empty());
        }
        if let Some(limit) = self.min_records.filter(|limit| valid < *limit) {
            return Err(Failure::guard(valid, "--min-records", limit));
        }
        if let Some(limit) = self.max_records.filter(|limit| valid > *limit) {
            return Err(Failure::guard(valid, "--max-records", limit));
        }
        Ok(())
    }
}
