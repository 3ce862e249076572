//! The `push` command: validates the whole input, then sends it and accounts for every record.
//!
//! - [`plan`] holds the options, and [`mod@run`] the steps in order.
//! - [`selection`] decides which records are sent (`--shard`, `--ledger`), and refuses too many
//!   changes (`--max-changes`, `--refuse-shortened`).
//! - [`outputs`] updates the ledger, the rejects file and the progress bar.
//! - [`verdict`] decides with which result the push ends.
//!
//! [`crate::delivery`] sends, retries and splits the requests.

mod file_checks;
mod ledger_output;
mod outputs;
mod plan;
mod rejects_output;
mod run;
mod selection;
mod verdict;

pub(crate) use self::{
    plan::{Destination, DryRun, LedgerPlan, MaxChanges, Plan},
    run::run,
};
