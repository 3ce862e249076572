//! `sensor-license` pushes sensor licence expirations to a licence server over gRPC.

use std::process::ExitCode;

mod args;
mod batch;
mod client;
mod command;
mod delivery;
mod endpoint;
mod failure;
mod output;
mod receiver;
mod record;
mod report;
mod signal;
mod source;
mod tls;
mod wire;

use args::Plan;

fn main() -> ExitCode {
    let plan = match Plan::from_command_line() {
        Ok(plan) => plan,
        Err(code) => return ExitCode::from(code),
    };
    ExitCode::from(match &plan {
        Plan::Push(plan) => command::push::run(plan),
        Plan::Check(plan) => command::check::run(plan),
        Plan::Serve(plan) => command::serve::run(plan),
    })
}
