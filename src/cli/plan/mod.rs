//! Turns the typed options of a command into its plan.

mod connection;
mod input;
mod ledger;
mod push;
mod resolve;
mod serve;
mod terminal;

pub(crate) use self::resolve::Plan;
