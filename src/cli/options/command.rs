//! The commands, and the options that are not in a file of their own.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueHint};

use super::{
    super::values,
    connection::ConnectionArgs,
    deferred::Deferred,
    delivery::DeliveryArgs,
    input::{FormatArgs, InputArgs},
    output::{MessageArgs, OutputArgs, SummaryArgs, describe_verbose},
    receiver::ServeArgs,
};
use crate::{report::MetricsLabel, terminal::Terminal};

/// `build.rs` sets the commit and the target.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("BUILD_COMMIT"),
    "\ntarget: ",
    env!("BUILD_TARGET"),
    "\nfeatures: TLS 1.2, TLS 1.3, X25519MLKEM768, gzip, zstd, SQLite"
);

/// Push sensor license expirations to a license server over gRPC
///
/// All records are read and validated before anything is sent, and each record is accounted for.
#[derive(Debug, Parser)]
#[command(name = "sensor-license", version, long_version = LONG_VERSION)]
#[command(max_term_width = 100)]
#[command(next_help_heading = "Configuration")]
#[allow(dead_code, reason = "the options here are read before clap parses")]
pub(in crate::cli) struct Cli {
    #[command(subcommand)]
    pub(in crate::cli) command: Command,

    /// Read default options from this TOML file
    ///
    /// Keys are the names of options. The command line and environment variables override them.
    /// Default: sensor-license/config.toml in $XDG_CONFIG_HOME or ~/.config, if it exists.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// Use the profile NAME of the config file
    ///
    /// The options in the table [profile.NAME] override the other options in the config file.
    #[arg(long, global = true, value_name = "NAME", value_hint = ValueHint::Other)]
    profile: Option<String>,

    /// Color messages and help: auto, always or never
    ///
    /// auto uses colors on a terminal.
    #[arg(
        long, global = true, value_name = "WHEN", default_value = "auto", hide_short_help = true,
        hide_possible_values = true, value_parser = ["auto", "always", "never"], help_heading = "Output"
    )]
    color: String,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Validate all records, then send them and account for each
    #[command(
        override_usage = "sensor-license push [OPTIONS] --server <HOST:PORT> [FILE]...\n       \
        sensor-license push [OPTIONS] --rehearse [FILE]..."
    )]
    Push(Deferred<PushArgs>),
    /// Read and validate like push, without contacting a server
    Check(Deferred<CheckArgs>),
    /// Diagnose the connection stage by stage, without sending a record
    Probe(Deferred<ProbeArgs>),
    /// Run the reference receiver, for rehearsals and tests
    Serve(Deferred<ServeArgs>),
    /// Inspect a ledger, or remove tokens from it
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print a shell completion script
    Completions(Deferred<CompletionsArgs>),
    /// Print the man pages, or write them to files
    Man(Deferred<ManArgs>),
}

/// Adds the options of a command, which the enums here leave out.
pub(in crate::cli) fn add_options(command: clap::Command) -> clap::Command {
    match command.get_name() {
        "push" => PushArgs::augment_args(command),
        "check" => CheckArgs::augment_args(command),
        "probe" => ProbeArgs::augment_args(command),
        "serve" => ServeArgs::augment_args(command),
        "ledger" => command
            .mut_subcommand("show", LedgerShowArgs::augment_args)
            .mut_subcommand("forget", LedgerForgetArgs::augment_args),
        "completions" => CompletionsArgs::augment_args(command),
        "man" => ManArgs::augment_args(command),
        _ => command,
    }
}

impl Command {
    pub(in crate::cli) fn terminal(&self) -> Terminal {
        match self {
            Self::Push(args) => args.0.output.terminal(),
            Self::Check(args) => args.0.output.terminal(),
            Self::Probe(args) => args.0.output.terminal(),
            Self::Serve(args) => args.0.output.terminal(),
            Self::Ledger(LedgerCommand::Show(args)) => args.0.common.output.terminal(),
            Self::Ledger(LedgerCommand::Forget(args)) => args.0.common.output.terminal(),
            Self::Completions(args) => args.0.messages.terminal(),
            Self::Man(args) => args.0.messages.terminal(),
        }
    }
}

#[derive(Debug, Args)]
#[command(mut_arg("verbose", |arg| describe_verbose(
    arg,
    "Print formats, stages and retries; -vv: requests",
    "-v prints the format of each input, each stage of the connection, each retry, the config \
     file, and where each option of the environment or the config file is set. -vv also prints \
     the outcome of each request.",
)))]
pub(in crate::cli) struct PushArgs {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    #[command(flatten)]
    pub(in crate::cli) delivery: DeliveryArgs,
    #[command(flatten)]
    pub(in crate::cli) output: SummaryArgs,

    /// Show a progress bar on a terminal: auto or never
    ///
    /// --quiet and --verbose hide it.
    #[arg(
        long, value_name = "WHEN", default_value = "auto", hide_short_help = true,
        hide_possible_values = true, value_parser = ["auto", "never"], help_heading = "Output"
    )]
    pub(in crate::cli) progress: String,

    /// Write metrics for Prometheus to this file
    ///
    /// The textfile collector of Prometheus' node exporter reads the file. The file is replaced atomically after each run, also after a failure.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath,
        value_parser = values::output_path(), help_heading = "Output"
    )]
    pub(in crate::cli) metrics_file: Option<PathBuf>,

    /// Add this label to all metrics; repeatable
    ///
    /// Jobs on the same host need different labels.
    ///
    /// Example: --metrics-label site=north
    #[arg(
        long, value_name = "NAME=VALUE", value_hint = ValueHint::Other, hide_short_help = true,
        value_parser = MetricsLabel::parse, requires = "metrics_file", help_heading = "Output"
    )]
    pub(in crate::cli) metrics_label: Vec<MetricsLabel>,
}

#[derive(Debug, Args)]
#[command(mut_arg("server", |server| server.required(true)))]
#[command(mut_arg("verbose", |arg| describe_verbose(
    arg,
    "Print each stage of the connection as soon as it is complete",
    "Also prints the config file, and where each option of the environment or the config file is \
     set. -vv is the same as -v.",
)))]
pub(in crate::cli) struct ProbeArgs {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,

    /// Warn if the server certificate expires within N days
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "TLS")]
    pub(in crate::cli) warn_days: u32,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(mut_arg("verbose", |arg| describe_verbose(
    arg,
    "Print the format of each input, and where options are set",
    "Also prints the config file, and each option that the environment or the config file sets. -vv is the same as -v.",
)))]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,

    /// List the records that expire within this time from now
    ///
    /// Device tokens are masked.
    ///
    /// Example: --list-expiring 30d
    #[arg(long, value_name = "DUR", value_parser = values::parse_duration, help_heading = "Output")]
    pub(in crate::cli) list_expiring: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) output: SummaryArgs,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LedgerCommand {
    /// Show what each server acknowledged, and the last pushes
    Show(Deferred<LedgerShowArgs>),
    /// Remove acknowledged tokens, so that the next push sends them again
    #[command(
        group(clap::ArgGroup::new("what").required(true).multiple(true)),
        override_usage = "sensor-license ledger forget [OPTIONS] --ledger <FILE>\n       \
            <--target <NAME>|--tokens <FILE>|--all>"
    )]
    Forget(Deferred<LedgerForgetArgs>),
}

#[derive(Debug, Args)]
#[command(mut_arg("verbose", |arg| describe_verbose(
    arg,
    "Print which ledger is used, and the format of --tokens",
    "Also prints the config file, and where each option of the environment or the config file is \
     set. -vv is the same as -v.",
)))]
pub(in crate::cli) struct LedgerArgs {
    /// Use this ledger, which push --ledger wrote
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = None,
        display_order = 0
    )]
    pub(in crate::cli) ledger: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LedgerShowArgs {
    /// Print the last acknowledged times of the tokens in this file as CSV
    ///
    /// The file is read like the input of push, but needs no expiration times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) tokens: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) format: FormatArgs,

    #[command(flatten)]
    pub(in crate::cli) common: LedgerArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LedgerForgetArgs {
    /// Remove all tokens of the server with this :authority
    #[arg(
        long, value_name = "NAME", value_hint = ValueHint::Hostname, group = "what",
        conflicts_with_all = ["tokens", "all"]
    )]
    pub(in crate::cli) target: Option<String>,

    /// Remove the tokens in this file, for all servers
    ///
    /// The file is read like the input of push, but needs no expiration times.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "what",
        conflicts_with = "all"
    )]
    pub(in crate::cli) tokens: Option<PathBuf>,

    /// Remove all tokens of all servers
    #[arg(long, group = "what")]
    pub(in crate::cli) all: bool,

    /// Wait at most this long for another process that uses the ledger
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = values::parse_duration)]
    pub(in crate::cli) lock_timeout: Duration,

    #[command(flatten)]
    pub(in crate::cli) format: FormatArgs,

    #[command(flatten)]
    pub(in crate::cli) common: LedgerArgs,
}

#[derive(Debug, Args)]
#[command(mut_arg("verbose", |arg| describe_verbose(
    arg,
    "Print how to install the completions",
    "The note is on standard error. -vv is the same as -v.",
)))]
pub(in crate::cli) struct CompletionsArgs {
    /// Print the completions for this shell
    #[arg(value_name = "SHELL")]
    pub(in crate::cli) shell: clap_complete::Shell,

    #[command(flatten)]
    pub(in crate::cli) messages: MessageArgs,
}

#[derive(Debug, Args)]
#[command(mut_arg("verbose", |arg| describe_verbose(
    arg,
    "Print the name of each page",
    "With --dir, the path of each file is printed. The names are on standard error. -vv is the same as -v.",
)))]
pub(in crate::cli) struct ManArgs {
    /// Write one man page for each command to this directory
    ///
    /// The directory is created if it does not exist. Without this option, all pages are printed to
    /// standard output.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) dir: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) messages: MessageArgs,
}
