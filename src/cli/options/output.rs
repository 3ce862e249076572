//! The options that control the printed output.

use clap::{Arg, ArgAction, Args};

use super::super::values::{self, Choice};
use crate::terminal::{ErrorFormat, Terminal};

#[derive(Clone, Debug, PartialEq)]
enum OutputFormat {
    Text,
    Json,
}

const FORMATS: [Choice<OutputFormat>; 2] = [
    ("text", "Human-readable text", OutputFormat::Text),
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

pub(in crate::cli) const ERROR_FORMATS: [Choice<ErrorFormat>; 4] = [
    ("text", "Only text on standard error", ErrorFormat::Text),
    (
        "github-actions",
        "Also annotations for GitHub Actions, and the summary in $GITHUB_STEP_SUMMARY",
        ErrorFormat::GithubActions,
    ),
    (
        "gitlab-code-quality",
        "A Code Quality report for GitLab instead of the result",
        ErrorFormat::GitlabCodeQuality,
    ),
    (
        "junit",
        "A JUnit XML document instead of the result",
        ErrorFormat::Junit,
    ),
];

// The output options of commands that read an input and print a summary. A doc comment here would
// replace the description of the command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct SummaryArgs {
    #[command(flatten)]
    output: OutputArgs,

    /// Print problems of the input for a CI system
    ///
    /// The text on standard error is the same in all formats.
    ///
    /// Example: sensor-license check licenses.csv --error-format junit > report.xml
    #[arg(
        long, value_name = "FORMAT", default_value = "text",
        value_parser = values::one_of(&ERROR_FORMATS)
    )]
    error_format: ErrorFormat,
}

impl SummaryArgs {
    pub(in crate::cli) fn terminal(&self) -> Terminal {
        Terminal {
            error_format: self.error_format,
            ..self.output.terminal()
        }
    }
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
            quiet: self.quiet,
            verbosity: self.verbose,
            ..Terminal::default()
        }
    }
}
