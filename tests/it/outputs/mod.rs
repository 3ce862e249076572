//! The outputs of a push besides its summary, and the failures to write them.
//!
//! `ledger` tests ledgers.

mod ci_formats;
mod files;
mod metrics;
mod metrics_labels;
mod names;
mod rejects;
mod rejects_as_input;
mod terminal;

/// Options for one record per request, one request at a time, and no retries.
const ONE_BY_ONE: &[&str] = &["--batch-records=1", "--concurrency=1", "--retry=0"];
