//! Pushes sensor licence expirations to a licence server over gRPC.
//!
//! This is a program, `sensor-license`, and its library is the program's: [`run`]. What else is
//! public is for the project's own benchmarks and fuzz targets.

mod atomic_file;
mod batch;
mod cli;
mod client;
mod commands;
mod contract;
mod delivery;
mod diagnostics;
mod endpoint;
#[doc(hidden)]
pub mod harness;
mod input;
mod ledger;
mod metadata;
mod probe;
mod proxy;
mod receiver;
mod record;
mod rejects;
mod report;
mod shard;
mod signals;
mod terminal;
mod tls;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use cli::Plan;
use terminal::Terminal;

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    panic::set_hook(Box::new(|panic| Terminal::internal_error(panic.location())));
    let plan = match Plan::from_command_line() {
        Ok(plan) => plan,
        Err(code) => return ExitCode::from(code),
    };
    let run = || match &plan {
        Plan::Push(plan) => commands::push::run(plan),
        Plan::Check(plan) => commands::check::run(plan),
        Plan::Probe(plan) => commands::probe::run(plan),
        Plan::Serve(plan) => commands::serve::run(plan),
        Plan::Ledger(plan) => commands::ledger::run(plan),
        Plan::Print(text) => Terminal::print_text(text),
    };
    // A defect has been told, and is to end as one.
    ExitCode::from(panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(diagnostics::EXIT_INTERNAL))
}
