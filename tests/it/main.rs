//! The integration tests: the built program against real servers, one module for each topic.
//!
//! `cargo test --test it faults::` runs one topic. The helpers of all topics are in `support`.

mod answers;
mod configuration;
mod contract;
mod crash;
mod documents;
mod failures;
mod faults;
mod input;
mod ledger;
mod ledger_commands;
mod matrix;
mod outputs;
mod probe;
mod proxy;
mod push;
mod serve;
mod structure;
mod support;
mod trust;
