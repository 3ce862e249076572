//! What a push writes beside its summary, and what it does when that cannot be written.
//!
//! `ledger` has ledgers.

mod files;
mod metrics;
mod rejects;
mod rejects_as_input;
mod terminal;

/// One record per request, one request at a time, no retries.
const ONE_BY_ONE: &[&str] = &["--batch-records=1", "--concurrency=1", "--retry=0"];
