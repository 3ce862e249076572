//! The options that control the printed output.

use clap::{Arg, ArgAction, Args};

use super::super::values::{self, Choice};
use crate::terminal::Terminal;

#[derive(Clone, Debug, PartialEq)]
enum OutputFormat {
    Text,
    Json,
}

const FORMATS: [Choice<OutputFormat>; 2] = [
    ("text", "Text for people", OutputFormat::Text),
    ("json", "One JSON object", OutputFormat::Json),
];

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct OutputArgs {
    /// Print the result as text or json
    #[arg(
        long, value_name = "FORMAT", default_value = "text", hide_possible_values = true,
        value_parser = values::one_of(&FORMATS)
    )]
    output: OutputFormat,

    #[command(flatten)]
    pub(in crate::cli) messages: MessageArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct MessageArgs {
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,

    /// Print details
    // Each command describes which details: see `describe_verbose`.
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

/// Describes which details `--verbose` prints.
pub(super) fn describe_verbose(arg: Arg, line: &str, details: &str) -> Arg {
    arg.help(line.to_owned())
        .long_help(format!("{line}\n\n{details}"))
}

impl OutputArgs {
    pub(in crate::cli) fn terminal(&self) -> Terminal {
        Terminal {
            json: self.output == OutputFormat::Json,
            ..self.messages.terminal()
        }
    }
}

impl MessageArgs {
    pub(in crate::cli) fn terminal(&self) -> Terminal {
        Terminal {
            json: false,
            quiet: self.quiet,
            verbosity: self.verbose,
        }
    }
}
