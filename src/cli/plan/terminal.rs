//! Turns options into a [`Terminal`], which determines the format and the amount of the output.

use crate::{
    cli::options::{OutputArgs, OutputFormat},
    terminal::Terminal,
};

pub(super) fn terminal(args: &OutputArgs) -> Terminal {
    terminal_with_verbosity(args, 0)
}

pub(super) fn terminal_with_verbosity(args: &OutputArgs, verbosity: u8) -> Terminal {
    Terminal {
        json: args.output == OutputFormat::Json,
        quiet: args.quiet,
        verbosity,
    }
}
