//! The `push` command: validates the whole input, then sends it and accounts for every record.
//! [`mod@run`] lists the steps in order.

mod changes;
mod context;
mod deliver;
mod guards;
mod ledger;
mod outputs;
mod plan;
mod rejects;
mod run;
mod selection;
mod verdict;

pub(crate) use self::{
    plan::{CountLimit, Destination, DryRun, LedgerPlan, MetricsPlan, Plan},
    run::run,
};
