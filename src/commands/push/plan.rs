//! The options of `push` after parsing.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    batch::BatchLimits,
    commands::{ConnectionPlan, ContractPlan, InputPlan, Timeouts},
    delivery::DeliveryPolicy,
    report::MetricsLabel,
    shard::Shard,
    terminal::Terminal,
};

pub(crate) struct Plan {
    pub(crate) input: InputPlan,
    pub(crate) destination: Destination,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_time: Option<Duration>,
    pub(crate) batch_limits: BatchLimits,
    /// Still without a deadline, which follows from `max_time` when the run starts.
    pub(crate) policy: DeliveryPolicy,
    pub(crate) shard: Shard,
    pub(crate) ledger: Option<LedgerPlan>,
    pub(crate) rejects_file: Option<PathBuf>,
    pub(crate) metrics: Option<MetricsPlan>,
    pub(crate) dry_run: Option<DryRun>,
    pub(crate) shows_progress: bool,
    pub(crate) terminal: Terminal,
}

pub(crate) enum Destination {
    Server(Box<ConnectionPlan>),
    /// A receiver inside this process, and the contract that the records must fit into.
    Rehearsal(ContractPlan),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(connection) => connection.endpoint.fmt(f),
            Self::Rehearsal(_) => f.write_str("rehearsal"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct DryRun {
    pub(crate) has_detailed_exit_code: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct LedgerPlan {
    pub(crate) path: PathBuf,
    pub(crate) sends_unchanged: bool,
    /// A percentage is of the records that were read.
    pub(crate) max_changes: Option<CountLimit>,
    /// A percentage is of the tokens that the ledger knows for the server.
    pub(crate) max_missing: Option<CountLimit>,
    pub(crate) refuses_shortened: bool,
    pub(crate) changes_file: Option<PathBuf>,
    pub(crate) lock_timeout: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct MetricsPlan {
    pub(crate) path: PathBuf,
    pub(crate) labels: Vec<MetricsLabel>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum CountLimit {
    Number(u64),
    Percent(f64),
}

impl CountLimit {
    /// Returns the limit for a percentage of `total`, rounded down.
    pub(super) fn of(self, total: u64) -> u64 {
        const MILLIONTHS: f64 = 1e6;
        match self {
            Self::Number(number) => number,
            // Integers, because 0.7 % of 11,000 are less than 77 in floating-point numbers.
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a percentage is at most 100, so the product is at most 10^8 times the total"
            )]
            Self::Percent(percent) => {
                let millionths = (percent * MILLIONTHS).round() as u128;
                (u128::from(total) * millionths / 100_000_000) as u64
            }
        }
    }
}

impl fmt::Display for CountLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}
