//! The `completions` command: prints the completion script of a shell.

use crate::terminal::Terminal;

pub(crate) struct Plan {
    pub(crate) script: String,
    /// How to install the script.
    pub(crate) installation: &'static str,
    pub(crate) terminal: Terminal,
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    plan.terminal.detail(1, || plan.installation.to_owned());
    Terminal::exit_code(Terminal::print_data(plan.script.trim_end()).map(|()| 0))
}
