//! The options of delivery: batches, retries, the ledger and rehearsals.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueHint};

use super::super::values;
use crate::{commands::push::CountLimit, shard::Shard};

#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(in crate::cli) struct DeliveryArgs {
    /// Show what would be sent, without contacting the server
    #[arg(short = 'n', long, conflicts_with_all = ["rehearse", "reflection"])]
    pub(in crate::cli) dry_run: bool,

    /// Exit with code 20 if something would be sent; requires --dry-run
    // clap drops a requirement if the required option conflicts with a given one.
    #[arg(
        long, hide_short_help = true, requires = "dry_run",
        conflicts_with_all = ["rehearse", "reflection"]
    )]
    pub(in crate::cli) detailed_exitcode: bool,

    /// Push to a receiver inside this process
    ///
    /// The records are sent over TLS on the loopback interface, and the received records are compared
    /// with the input. The ledger and its guards, and the options of the connection, are ignored.
    #[arg(long)]
    pub(in crate::cli) rehearse: bool,

    /// Retry each request at most N times
    ///
    /// These failures are retried: UNAVAILABLE, ABORTED, RESOURCE_EXHAUSTED, an exceeded --timeout, a
    /// lost or refused connection, a stream reset, and HTTP 429 and 502 to 504. Certificate,
    /// authentication and contract errors are not retried.
    #[arg(long, value_name = "N", default_value_t = 5, hide_short_help = true)]
    pub(in crate::cli) retry: u32,

    /// Wait at most this long before the first retry; doubles with each retry
    ///
    /// The delay is random between 0 and this limit (exponential backoff with full jitter). A delay
    /// that the server asks for replaces the random delay. If the server asks for more than 10
    /// minutes, the request is not retried.
    #[arg(
        long, value_name = "DUR", default_value = "200ms", hide_short_help = true,
        value_parser = values::parse_duration
    )]
    pub(in crate::cli) retry_delay: Duration,

    /// Wait at most this long before any retry
    #[arg(
        long, value_name = "DUR", default_value = "10s", hide_short_help = true,
        value_parser = values::parse_duration
    )]
    pub(in crate::cli) retry_max_delay: Duration,

    /// Limit the time of the whole run, including retries
    ///
    /// Default: no limit.
    #[arg(long, value_name = "DUR", value_parser = values::parse_timeout)]
    pub(in crate::cli) max_time: Option<Duration>,

    /// Keep at most N requests in flight; up to 1000
    ///
    /// On a link with a round trip of 50 ms, 32 requests are faster than 16 for a million records.
    // Each request in flight takes memory, and servers accept a few hundred concurrent streams.
    #[arg(
        long, value_name = "N", default_value_t = 16, hide_short_help = true,
        value_parser = values::number_in(1..=1000)
    )]
    pub(in crate::cli) concurrency: usize,

    /// Send at most N records per second
    ///
    /// Default: no limit.
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = values::number_in(1..))]
    pub(in crate::cli) rate: Option<usize>,

    /// Put at most N records into one request
    #[arg(
        long, value_name = "N", default_value_t = 10_000, hide_short_help = true,
        value_parser = values::number_in(1..)
    )]
    pub(in crate::cli) batch_records: usize,

    /// Put at most this many bytes into one request
    ///
    /// The size includes the 5-byte prefix of gRPC. Sizes are in bytes, or have the unit KiB or MiB,
    /// such as 512KiB. A single record that is larger is refused.
    #[arg(
        long, value_name = "SIZE", default_value = "1MiB", hide_short_help = true,
        value_parser = values::parse_size
    )]
    pub(in crate::cli) batch_bytes: usize,

    /// Accept this response code as success; repeatable
    ///
    /// Default: 0.
    #[arg(
        long,
        value_name = "N",
        hide_short_help = true,
        allow_negative_numbers = true
    )]
    pub(in crate::cli) ok_code: Vec<i32>,

    /// Send the other records if the server rejects some
    ///
    /// A request that is rejected with INVALID_ARGUMENT is split until each rejected record is alone
    /// in its request.
    #[arg(long)]
    pub(in crate::cli) isolate: bool,

    /// Write unacknowledged records to this CSV file
    ///
    /// Each row has the reason. To push these records again, pass this file as FILE. The file is
    /// replaced even if all records were acknowledged. The file holds whole device tokens and has
    /// mode 0600.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath,
        value_parser = values::output_path()
    )]
    pub(in crate::cli) rejects: Option<PathBuf>,

    /// Send only this part of the records: 0/N to (N-1)/N
    ///
    /// The part of a record depends only on its token, so N machines with the same input send each
    /// record once.
    ///
    /// Example: --shard 0/3
    #[arg(
        long, value_name = "I/N", default_value = "0/1", hide_short_help = true,
        value_parser = values::parse_shard
    )]
    pub(in crate::cli) shard: Shard,

    /// Send only new and changed records, using this ledger
    ///
    /// The ledger remembers the records that each server (:authority and method) acknowledged. The
    /// file is a SQLite database, and is created if it does not exist. The ledger contains digests of
    /// the tokens, not the tokens.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Ledger")]
    pub(in crate::cli) ledger: Option<PathBuf>,

    /// Send unchanged records too
    #[arg(
        long,
        help_heading = "Ledger",
        hide_short_help = true,
        requires = "ledger"
    )]
    pub(in crate::cli) full: bool,

    /// Refuse more than N (or P%) changed times
    ///
    /// A time is changed if the ledger has another time for the token. P% is of the records read. The first push to a server is not limited. A refused input sends
    /// nothing and exits with code 4.
    ///
    /// Example: --max-changes 20%
    #[arg(
        long, value_name = "N|P%", help_heading = "Ledger",
        value_parser = values::parse_count_limit, requires = "ledger"
    )]
    pub(in crate::cli) max_changes: Option<CountLimit>,

    /// Refuse more than N (or P%) missing tokens
    ///
    /// A token is missing if the ledger knows it, but the input does not contain it. P% is of the tokens that the ledger knows for this server.
    ///
    /// Example: --max-missing 5%
    #[arg(
        long, value_name = "N|P%", help_heading = "Ledger",
        value_parser = values::parse_count_limit, requires = "ledger"
    )]
    pub(in crate::cli) max_missing: Option<CountLimit>,

    /// Refuse an input with a time that is earlier than in the ledger
    #[arg(
        long,
        help_heading = "Ledger",
        hide_short_help = true,
        requires = "ledger"
    )]
    pub(in crate::cli) refuse_shortened: bool,

    /// Write the records that are sent, with their previous times, to this CSV file
    ///
    /// With --dry-run: the records that would be sent. The file holds whole device tokens and has
    /// mode 0600.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Ledger",
        hide_short_help = true, requires = "ledger"
    )]
    pub(in crate::cli) changes: Option<PathBuf>,

    /// Wait at most this long for another process that uses the ledger
    #[arg(
        long, value_name = "DUR", default_value = "5s", help_heading = "Ledger",
        hide_short_help = true, value_parser = values::parse_duration, requires = "ledger"
    )]
    pub(in crate::cli) lock_timeout: Duration,
}
