//! The commands of the program: one recipe each, from a plan to an exit code.
//!
//! How options are parsed into plans is in [`crate::cli`].

pub(crate) mod check;
mod clock;
mod connection;
mod contract;
mod identity_files;
mod input;
pub(crate) mod ledger;
pub(crate) mod probe;
pub(crate) mod push;
mod reactor;
mod rehearsal;
pub(crate) mod serve;

pub(crate) use self::{
    connection::{ConnectionPlan, MetadataPlan, Timeouts, TransportSecurity, parse_authority},
    contract::{ContractPlan, Schema},
    identity_files::IdentityFiles,
    input::{InputGuards, InputPlan},
};
