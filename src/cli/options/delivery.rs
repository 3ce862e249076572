//! The options of delivery: batches, retries, the ledger and rehearsals.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::super::values;
use crate::{commands::push::CountLimit, shard::Shard};

#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(in crate::cli) struct DeliveryArgs {
    /// The most records in one request
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = values::number_in(1..))]
    pub(in crate::cli) batch_records: usize,

    /// The most encoded bytes in one request
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = values::parse_size)]
    pub(in crate::cli) batch_bytes: usize,

    /// Requests in flight, 1000 at most
    // Each request in flight takes memory, and servers accept a few hundred concurrent streams.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = values::number_in(1..=1000))]
    pub(in crate::cli) concurrency: usize,

    /// Records a second, at most [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::number_in(1..))]
    pub(in crate::cli) rate: Option<usize>,

    /// Further tries of one request after a failure that may pass
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(in crate::cli) retry: u32,

    /// The longest wait before the first further try; it doubles with each
    #[arg(long, value_name = "DUR", default_value = "200ms", value_parser = values::parse_duration)]
    pub(in crate::cli) retry_delay: Duration,

    /// The longest wait before any further try
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = values::parse_duration)]
    pub(in crate::cli) retry_max_delay: Duration,

    /// For the whole run, further tries and waits included [default: no limit]
    #[arg(long, value_name = "DUR", value_parser = values::parse_timeout)]
    pub(in crate::cli) max_time: Option<Duration>,

    /// A response code that means success [repeatable; default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(in crate::cli) ok_code: Vec<i32>,

    /// Split a request refused with INVALID_ARGUMENT until the offending records stand alone
    #[arg(long)]
    pub(in crate::cli) isolate: bool,

    /// Write the records that were not acknowledged there, as CSV that can be pushed again
    #[arg(long, value_name = "FILE", value_parser = values::output_path())]
    pub(in crate::cli) rejects: Option<PathBuf>,

    /// Remember in this SQLite file what the server acknowledged, and send only what is new or
    /// changed
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ledger: Option<PathBuf>,

    /// Send unchanged records too
    #[arg(long, requires = "ledger")]
    pub(in crate::cli) full: bool,

    /// Refuse to change the times of more tokens of the ledger than N, or than P% of the records
    #[arg(long, value_name = "N|P%", value_parser = values::parse_count_limit, requires = "ledger")]
    pub(in crate::cli) max_changes: Option<CountLimit>,

    /// Refuse input that lacks more than N, or P%, of the ledger's tokens for this server
    #[arg(long, value_name = "N|P%", value_parser = values::parse_count_limit, requires = "ledger")]
    pub(in crate::cli) max_missing: Option<CountLimit>,

    /// Refuse times that are earlier than in the ledger
    #[arg(long, requires = "ledger")]
    pub(in crate::cli) refuse_shortened: bool,

    /// Write the records that are sent (-n: would be), with their last times, as CSV
    #[arg(long, value_name = "FILE", requires = "ledger")]
    pub(in crate::cli) changes: Option<PathBuf>,

    /// How long to wait for another push that has the ledger
    #[arg(
        long, value_name = "DUR", default_value = "5s", value_parser = values::parse_duration,
        requires = "ledger"
    )]
    pub(in crate::cli) lock_timeout: Duration,

    /// Only this machine's part of several, 0/N to N-1/N, by a hash of the token
    #[arg(long, value_name = "I/N", default_value = "0/1", value_parser = values::parse_shard)]
    pub(in crate::cli) shard: Shard,

    /// All but contacting the server
    #[arg(short = 'n', long, conflicts_with_all = ["rehearse", "reflection"])]
    pub(in crate::cli) dry_run: bool,

    /// Exit with 20 when something would be sent
    // clap drops a requirement if the required option conflicts with a given one.
    #[arg(long, requires = "dry_run", conflicts_with_all = ["rehearse", "reflection"])]
    pub(in crate::cli) detailed_exitcode: bool,

    /// Push for real to a receiver inside the process over loopback TLS, and verify what it got
    #[arg(long)]
    pub(in crate::cli) rehearse: bool,
}
