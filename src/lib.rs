//! Pushes sensor license expirations to a license server over gRPC.
//!
//! This is the library of the program `sensor-license`. The program only calls [`run`]. The module
//! `harness` is public only for the benchmarks and fuzz targets of this project.

#[cfg(not(unix))]
compile_error!("sensor-license runs only on Unix systems, such as Linux and macOS");

mod atomic_file;
mod batch;
mod blocking_work;
mod cli;
mod client;
mod commands;
mod contract;
mod database;
mod delivery;
mod diagnostics;
mod endpoint;
mod file_identity;
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
mod user_path;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use cli::{Plan, parse_command_line};
use terminal::Terminal;

/// Runs the command that the command line of this process names, and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    panic::set_hook(Box::new(|panic| Terminal::internal_error(panic.location())));
    signals::survive_file_size_limit();
    let plan = match parse_command_line() {
        Ok(plan) => plan,
        Err(exit_code) => return ExitCode::from(exit_code),
    };
    let run = || match &plan {
        Plan::Push(plan) => commands::push::run(plan),
        Plan::Check(plan) => commands::check::run(plan),
        Plan::Probe(plan) => commands::probe::run(plan),
        Plan::Serve(plan) => commands::serve::run(plan),
        Plan::Ledger(plan) => commands::ledger::run(plan),
        Plan::Completions(plan) => commands::completions::run(plan),
        Plan::Man(plan) => commands::man::run(plan),
    };
    // After a panic, the panic hook has already printed the error.
    ExitCode::from(panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(diagnostics::EXIT_INTERNAL))
}
