//! Turns the parsed options of a command into the plan of the command.

mod connection;
mod input;
mod ledger;
mod push;
mod resolve;
mod serve;
mod terminal;

pub(crate) use self::resolve::Plan;
