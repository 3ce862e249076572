//! The reports of commands, as text or as JSON: summaries, expiration charts, metrics, probes and
//! ledgers. Failures are in `diagnostics/`.

mod expiration;
mod format;
mod ledger;
mod metrics;
mod probe;
mod stage;
mod summary;

pub(crate) use self::{
    format::describe_format,
    ledger::{ForgetReport, LedgerReport},
    metrics::MetricsFile,
    probe::ProbeReport,
    stage::describe_stage,
    summary::{Status, Summary},
};
