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
