//! The options that control the printed output.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct OutputArgs {
    /// One line, or one JSON object
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(in crate::cli) output: OutputFormat,

    /// Errors alone
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OutputFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ShowProgress {
    Auto,
    Never,
}
