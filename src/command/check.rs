//! `check`: reads and validates, contacts nothing.

use std::time::Instant;

use super::{InputPlan, input};
use crate::{failure::Failure, output::Output, report::Summary};

pub(crate) struct Plan {
    pub(crate) input: InputPlan,
    pub(crate) output: Output,
}

pub(crate) fn run(plan: &Plan) -> u8 {
    let started = Instant::now();
    let mut summary = Summary::new(None);
    let failure = check(plan, &mut summary).err();
    plan.output
        .summary(&summary.finish(failure, started.elapsed()))
}

fn check(plan: &Plan, summary: &mut Summary) -> Result<(), Failure> {
    let signals = input::signals(&plan.input)?;
    let ends = (None, signals.as_ref());
    input::read(&plan.input, None, ends, summary, plan.output).map(drop)
}
