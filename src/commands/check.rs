//! The `check` command: reads and validates an input as `push` does, but contacts no server.

use std::time::Instant;

use super::{
    input::{InputPlan, read_input},
    reactor::listen_for_signals,
};
use crate::{report::Summary, terminal::Terminal};

pub(crate) struct Plan {
    pub(crate) input: InputPlan,
    pub(crate) terminal: Terminal,
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    let started = Instant::now();
    let mut summary = Summary::new(None);
    let validated = listen_for_signals().and_then(|signals| {
        read_input(
            &plan.input,
            None,
            None,
            &signals,
            &mut summary,
            plan.terminal,
        )
    });
    let summary = summary.finish(validated.err(), started.elapsed());
    plan.terminal.print_summary(&summary)
}
