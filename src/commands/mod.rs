//! One pipeline for each command.

pub(crate) mod check;
mod connection;
mod contract;
mod flags;
mod input;
pub(crate) mod ledger;
pub(crate) mod probe;
pub(crate) mod push;
mod rehearsal;
pub(crate) mod serve;

pub(crate) use connection::{Connection, MetadataPlan, Security, Timeouts, legal_authority};
pub(crate) use contract::{ContractPlan, Schema};
pub(crate) use input::{Guards, InputPlan};

use crate::{diagnostics::Failure, signals::Signals};

/// Takes the signals over, for the rest of a command. What it opens before, such as a pipe that nobody
/// writes to, they end as they end any program.
fn signals() -> Result<Signals, Failure> {
    Signals::listen().map_err(|error| Failure::internal("no signals", &error))
}
