//! The integration tests: the built program against real servers, one module for each topic.
//!
//! `cargo test --test it faults::` runs one topic. The helpers of all topics are in `support`.

#![allow(
    clippy::disallowed_methods,
    reason = "the paths of tests are no secrets"
)]

mod automation;
mod completions;
mod configuration;
mod contract;
mod crash;
mod document_commands;
mod documents;
mod faults;
mod help;
mod hints;
mod input;
mod layers;
mod ledger;
mod man_pages;
mod option_secrets;
mod outputs;
mod pictures;
mod probe;
mod proxy;
mod push;
mod requests;
mod serve;
mod signals;
mod structure;
mod support;
mod system_limits;
mod troubleshooting;
mod trust;
mod usage;
mod verbose;
mod version;
