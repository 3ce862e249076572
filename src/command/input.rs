//! What `push` and `check` do alike, so that they can't disagree.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    failure::{Failure, warnings},
    output::Output,
    report::Summary,
    source::{Options, Origin, RequestLimit, Rules, Validated, validate},
};

/// What to read, how, and what to refuse.
#[derive(Clone, Debug)]
pub(crate) struct InputPlan {
    pub(crate) origins: Vec<Origin>,
    pub(crate) options: Options,
    pub(crate) max_errors: usize,
    pub(crate) fail_on_empty: bool,
}

/// Reads everything, and refuses it where anything is wrong.
pub(super) fn read(
    plan: &InputPlan,
    request_limit: Option<RequestLimit<'_>>,
    summary: &mut Summary,
    output: Output,
) -> Result<Validated, Failure> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let rules = Rules {
        now,
        max_shown: plan.max_errors,
        request_limit,
    };
    let validated = validate(&plan.origins, plan.options.clone(), &rules);
    summary.input(&validated.counts);
    for warning in warnings(&validated.counts) {
        output.warning(&warning);
    }
    if validated.is_refused() {
        return Err(Failure::refused(&validated.counts, &validated.problems));
    }
    if validated.counts.read == 0 {
        if plan.fail_on_empty {
            return Err(Failure::empty());
        }
        output.note("the input holds no record: nothing to do");
    }
    Ok(validated)
}
