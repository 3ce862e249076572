//! Turns the parsed command line into the plan of the command.

use super::{
    connection::{connection_plan, timeouts},
    input::input_plan,
    ledger::ledger_plan,
    push::push_plan,
    serve::serve_plan,
    terminal::{terminal, terminal_with_verbosity},
};
use crate::{
    cli::{
        generate,
        options::{Cli, Command},
    },
    commands::{check, ledger, probe, push, serve},
    diagnostics::Failure,
};

pub(crate) enum Plan {
    Push(Box<push::Plan>),
    Check(check::Plan),
    Probe(Box<probe::Plan>),
    Serve(serve::Plan),
    Ledger(ledger::Plan),
    /// Text to print, such as the manual.
    Print(String),
}

impl Plan {
    /// Turns the parsed options into the plan of the command.
    ///
    /// # Errors
    ///
    /// Options contradict each other in a way that clap does not check.
    pub(in crate::cli) fn from_options(cli: Cli) -> Result<Self, Failure> {
        match cli.command {
            Command::Push(args) => push_plan(*args).map(|plan| Self::Push(Box::new(plan))),
            Command::Check(args) => Ok(Self::Check(check::Plan {
                input: input_plan(args.input)?,
                terminal: terminal_with_verbosity(&args.output, args.verbose),
            })),
            Command::Probe(args) => Ok(Self::Probe(Box::new(probe::Plan {
                timeouts: timeouts(&args.connection),
                connection: connection_plan(args.connection)?,
                warn_days: args.warn_days,
                terminal: terminal(&args.output),
            }))),
            Command::Serve(args) => serve_plan(*args).map(Self::Serve),
            Command::Ledger(command) => ledger_plan(command).map(Self::Ledger),
            Command::Completions { shell } => Ok(Self::Print(generate::completions(shell))),
            Command::Man => generate::manual()
                .map(Self::Print)
                .map_err(|error| Failure::internal("the manual can't be made", &error)),
        }
    }
}
