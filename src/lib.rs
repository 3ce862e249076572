//! Pushes sensor licence expirations to a licence server over gRPC.
//!
//! This is a program, `sensor-license`, and its library is the program's: [`run`]. What else is
//! public is for the project's own benchmarks and fuzz targets.

mod args;
mod batch;
mod client;
mod command;
mod delivery;
mod endpoint;
mod failure;
#[doc(hidden)]
pub mod inspect;
mod ledger;
mod metadata;
mod output;
mod probe;
mod proxy;
mod receiver;
mod record;
mod rejects;
mod replacement;
mod report;
mod shard;
mod signal;
mod source;
mod tls;
mod wire;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use args::Plan;
use output::Output;

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    panic::set_hook(Box::new(|panic| Output::defect(panic.location())));
    let plan = match Plan::from_command_line() {
        Ok(plan) => plan,
        Err(code) => return ExitCode::from(code),
    };
    let run = || match &plan {
        Plan::Push(plan) => command::push::run(plan),
        Plan::Check(plan) => command::check::run(plan),
        Plan::Probe(plan) => command::probe::run(plan),
        Plan::Serve(plan) => command::serve::run(plan),
        Plan::Ledger(plan) => command::ledger::run(plan),
        Plan::Print(text) => Output::print(text),
    };
    // A defect has been told, and is to end as one.
    ExitCode::from(panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(failure::OTHER))
}
