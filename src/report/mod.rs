//! The reports of commands, as text or as JSON: summaries, expiration charts, metrics, probes and
//! ledgers. Failures are in `diagnostics/`.

mod detected_format;
mod expiration;
mod ledger;
mod metrics;
mod probe;
mod stage;
mod summary;

pub(crate) use self::{
    detected_format::describe_format,
    ledger::{ForgetReport, LedgerReport},
    metrics::MetricsFile,
    probe::ProbeReport,
    stage::describe_stage,
    summary::{Status, Summary},
};
