//! The `check` command: reads and validates an input as `push` does, but contacts no server.

use std::time::Duration;

use super::{
    input::{InputPlan, read_input},
    interrupts::Interrupts,
};
use crate::{
    diagnostics::{self, Failure},
    report::Summary,
    terminal::Terminal,
};

pub(crate) struct Plan {
    pub(crate) input: InputPlan,
    /// Records that expire within this time from now are listed.
    pub(crate) listed_period: Option<Duration>,
    pub(crate) terminal: Terminal,
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    let mut summary = Summary::new("check", None);
    let result = check(plan, &mut summary);
    summary.finish(result.err());
    plan.terminal.print_summary(&summary)
}

fn check(plan: &Plan, summary: &mut Summary) -> Result<(), Failure> {
    let interrupts = Interrupts::listen(None)?;
    let mut input = read_input(&plan.input, None, &interrupts, summary, plan.terminal)?;
    if let Some(period) = plan.listed_period {
        let expiring = input
            .find_expiring(period)
            .map_err(|problem| interrupts.explain(diagnostics::input_not_read_again(&problem)))?;
        summary.expiring = Some(expiring);
    }
    Ok(())
}
