//! The reports of commands, as text or as JSON. Failures are in `diagnostics/`.

mod expiration;
mod ledger;
mod metrics;
mod probe;
mod stage;
mod summary;

pub(crate) use self::{
    ledger::format_ledger,
    metrics::MetricsFile,
    probe::ProbeReport,
    stage::describe_stage,
    summary::{Status, Summary},
};
