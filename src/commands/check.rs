//! The `check` command: reads and validates an input as `push` does, but contacts no server.

use super::{
    input::{InputPlan, read_input},
    interrupts::Interrupts,
};
use crate::{report::Summary, terminal::Terminal};

pub(crate) struct Plan {
    pub(crate) input: InputPlan,
    pub(crate) terminal: Terminal,
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    let mut summary = Summary::new(None);
    let validated = Interrupts::listen(None).and_then(|interrupts| {
        read_input(&plan.input, None, &interrupts, &mut summary, plan.terminal)
    });
    summary.finish(validated.err());
    plan.terminal.print_summary(&summary)
}
