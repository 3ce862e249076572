//! The `push` command: validates the whole input, then sends it and accounts for every record.
//! [`mod@run`] lists the steps in order.

mod context;
mod deliver;
mod ledger;
mod outputs;
mod plan;
mod rejects;
mod run;
mod selection;
mod verdict;

pub(crate) use self::{
    plan::{Destination, DryRun, LedgerPlan, MaxChanges, MetricsPlan, Plan},
    run::run,
};
