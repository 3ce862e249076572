//! The reports of commands, as text or as JSON. Failures are in `diagnostics/`.

mod expiration;
mod ledger;
mod metrics;
mod metrics_label;
mod probe;
mod stage;
mod summary;
mod token_times;

pub(crate) use self::{
    ledger::format_ledger,
    metrics::MetricsFile,
    metrics_label::MetricsLabel,
    probe::ProbeReport,
    stage::format_stage,
    summary::{LedgerCounts, Status, Summary},
    token_times::TokenTimes,
};
