//! `check`: reads and validates, contacts nothing.

use std::time::Instant;

use super::{InputPlan, input};
use crate::{report::Summary, terminal::Terminal};

pub(crate) struct Plan {
    pub(crate) input: InputPlan,
    pub(crate) terminal: Terminal,
}

pub(crate) fn run(plan: &Plan) -> u8 {
    let started = Instant::now();
    let mut summary = Summary::new(None);
    let read = super::signals().and_then(|signals| {
        input::read(
            &plan.input,
            None,
            None,
            &signals,
            &mut summary,
            plan.terminal,
        )
    });
    let failure = read.err();
    plan.terminal
        .print_summary(&summary.finish(failure, started.elapsed()))
}
