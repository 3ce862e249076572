//! The options that control the printed output.

use clap::Args;

use crate::terminal::Terminal;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct OutputArgs {
    /// One line, or one JSON object
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    output: String,

    /// Errors alone
    #[arg(short, long)]
    quiet: bool,
}

impl OutputArgs {
    pub(in crate::cli) fn terminal(&self, verbosity: u8) -> Terminal {
        Terminal {
            json: self.output == "json",
            quiet: self.quiet,
            verbosity,
        }
    }
}
