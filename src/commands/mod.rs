//! The commands of the program. Each has a plan, which [`crate::cli`] makes from the options, and a
//! function that runs the plan and returns the exit code.

pub(crate) mod check;
pub(crate) mod completions;
mod connection;
mod contract;
mod input;
mod interrupts;
pub(crate) mod ledger;
pub(crate) mod man;
pub(crate) mod probe;
pub(crate) mod push;
mod rehearsal;
pub(crate) mod serve;

pub(crate) use self::{
    connection::{ConnectionPlan, IdentityFiles, Timeouts, TlsPlan, parse_authority},
    contract::{ContractPlan, ContractSource},
    input::InputPlan,
};
