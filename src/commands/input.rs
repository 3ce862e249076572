//! What `push` and `check` do alike, so that they can't disagree.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::{
    contract::Contract,
    diagnostics::{Failure, warnings},
    input::{
        DuplicatePolicy, InputOptions, Origin, ReadLimits, ValidatedInput, ValidationRules,
        validate,
    },
    report::{self, Summary},
    signals::Signals,
    terminal::Terminal,
};

/// What to read, how, and what to refuse.
#[derive(Clone, Debug)]
pub(crate) struct InputPlan {
    pub(crate) origins: Vec<Origin>,
    pub(crate) options: InputOptions,
    pub(crate) max_errors: usize,
    pub(crate) guards: Guards,
}

/// What well-formed input is refused for.
#[derive(Clone, Debug)]
pub(crate) struct Guards {
    pub(crate) on_duplicate: DuplicatePolicy,
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
    terminal: Terminal,
) -> Result<ValidatedInput, Failure> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let rules = ValidationRules {
        now,
        refuse_past: plan.guards.refuse_past,
        on_duplicate: plan.guards.on_duplicate,
        max_shown: plan.max_errors,
        request,
        read_limits: ReadLimits {
            deadline,
            stop: Some(signals.wake_stream()),
        },
    };
    let validated = validate(&plan.origins, plan.options.clone(), &rules);
    for (name, format) in validated.detected_formats() {
        terminal.detail(1, || report::describe_format(name, format));
    }
    summary.input(&validated);
    if let Some(signal) = signals.received() {
        return Err(Failure::stopped(signal));
    }
    for warning in warnings(&validated) {
        terminal.warning(&warning);
    }
    if validated.has_problems() {
        return Err(Failure::refused(
            &validated.counts,
            &validated.problems,
            "sent",
        ));
    }
    plan.guards.check(&validated)?;
    if validated.counts.read == 0 {
        terminal.note("the input holds no record: nothing to do");
    }
    Ok(validated)
}

impl Guards {
    fn check(&self, validated: &ValidatedInput) -> Result<(), Failure> {
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
