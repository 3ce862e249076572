//! The options of `ledger`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::{super::values, input::FormatArgs, output::OutputArgs};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LedgerCommand {
    /// What each server has acknowledged, and the last pushes
    Show(LedgerShowArgs),
    /// Forget what was acknowledged, so that the next push sends it again
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
    Forget(Box<LedgerForgetArgs>),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LedgerShowArgs {
    /// The ledger of push
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ledger: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LedgerForgetArgs {
    /// The ledger of push
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ledger: PathBuf,

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
    pub(in crate::cli) output: OutputArgs,
}
