//! The commands, and the options that are not in a file of their own.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use super::{
    super::values,
    connection::ConnectionArgs,
    delivery::DeliveryArgs,
    input::{FormatArgs, InputArgs},
    output::OutputArgs,
    receiver::ServeArgs,
};
use crate::report::MetricsLabel;

/// Pushes sensor licence expirations to a licence server over gRPC.
///
/// Everything is read and validated before anything is sent, and every record is accounted for.
#[derive(Debug, Parser)]
#[command(name = "sensor-license", version, max_term_width = 100)]
#[command(next_help_heading = "Configuration")]
#[allow(dead_code, reason = "the options here are read before clap parses")]
pub(in crate::cli) struct Cli {
    #[command(subcommand)]
    pub(in crate::cli) command: Command,

    /// Read default options from this TOML file; environment variables such as
    /// SENSOR_LICENSE_TIMEOUT override it [default: sensor-license/config.toml in
    /// $XDG_CONFIG_HOME or ~/.config, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Prefer the options in the table [profile.NAME] of the config file
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,

    /// Color the messages on standard error
    #[arg(
        long, global = true, value_name = "WHEN", default_value = "auto",
        value_parser = ["auto", "always", "never"], help_heading = "Output"
    )]
    color: String,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Validate everything, then send it and account for every record
    Push(Box<PushArgs>),
    /// Read and validate as push does, contact nothing
    Check(Box<CheckArgs>),
    /// Diagnose the way to the server stage by stage, send no record
    Probe(Box<ProbeArgs>),
    /// Run a reference receiver, for rehearsals and tests
    Serve(Box<ServeArgs>),
    /// Look into a ledger, or make it forget
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print the completions of a shell
    Completions {
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the manual, for man -l -
    Man,
}

#[derive(Debug, Args)]
#[command(mut_arg("server", |server| server.required_unless_present("rehearse")))]
pub(in crate::cli) struct PushArgs {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    #[command(flatten)]
    pub(in crate::cli) delivery: DeliveryArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,

    /// Show on a terminal how far the push is
    #[arg(
        long, value_name = "WHEN", default_value = "auto", value_parser = ["auto", "never"],
        help_heading = "Output"
    )]
    pub(in crate::cli) progress: String,

    /// Say how each input holds its records, what each stage of the way to the server comes to
    /// and what is tried again; twice: each request too
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(in crate::cli) verbose: u8,

    /// Write metrics there for Prometheus' textfile collector
    #[arg(long, value_name = "FILE", value_parser = values::output_path(), help_heading = "Output")]
    pub(in crate::cli) metrics_file: Option<PathBuf>,

    /// Add a label to every series of --metrics-file, such as site=north [repeatable]
    #[arg(
        long, value_name = "NAME=VALUE", value_parser = MetricsLabel::parse,
        requires = "metrics_file", help_heading = "Output"
    )]
    pub(in crate::cli) metrics_label: Vec<MetricsLabel>,
}

#[derive(Debug, Args)]
#[command(mut_arg("server", |server| server.required(true)))]
pub(in crate::cli) struct ProbeArgs {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,

    /// Warn of a server certificate that expires within N days
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "Probe")]
    pub(in crate::cli) warn_days: u32,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,

    /// List each record that expires within this time from now (example: 30d)
    #[arg(long, value_name = "DUR", value_parser = values::parse_duration, help_heading = "Output")]
    pub(in crate::cli) list_expiring: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,

    /// Say how each input holds its records
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(in crate::cli) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LedgerCommand {
    /// What each server has acknowledged, and the last pushes
    Show(Box<LedgerShowArgs>),
    /// Forget what was acknowledged, so that the next push sends it again
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
    Forget(Box<LedgerForgetArgs>),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LedgerArgs {
    /// The ledger of push
    #[arg(long, value_name = "FILE", help_heading = None, display_order = 0)]
    pub(in crate::cli) ledger: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LedgerShowArgs {
    /// Print the last acknowledged times of the tokens in this file as CSV
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) tokens: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) format: FormatArgs,

    #[command(flatten)]
    pub(in crate::cli) common: LedgerArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LedgerForgetArgs {
    /// All tokens of this server, by the :authority that ledger show names
    #[arg(long, value_name = "NAME", group = "what", conflicts_with_all = ["tokens", "all"])]
    pub(in crate::cli) target: Option<String>,

    /// These tokens, at every server: a file as push reads it, expire times aside
    #[arg(long, value_name = "FILE", group = "what", conflicts_with = "all")]
    pub(in crate::cli) tokens: Option<PathBuf>,

    /// Everything
    #[arg(long, group = "what")]
    pub(in crate::cli) all: bool,

    /// How long to wait for a push that has the ledger
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = values::parse_duration)]
    pub(in crate::cli) lock_timeout: Duration,

    #[command(flatten)]
    pub(in crate::cli) format: FormatArgs,

    #[command(flatten)]
    pub(in crate::cli) common: LedgerArgs,
}
