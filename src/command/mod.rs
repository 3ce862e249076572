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

use crate::{failure::Failure, signal::Signals};

/// Takes the signals over: the first thing that a command does that has anything to tidy up.
fn signals() -> Result<Signals, Failure> {
    Signals::listen().map_err(|error| Failure::internal("no signals", &error))
}
