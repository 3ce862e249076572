//! The `push` command: validates the whole input, then sends it and accounts for every record.
//!
//! How a request is sent, retried and split is the business of [`crate::delivery`].

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
