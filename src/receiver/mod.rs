//! The reference receiver: a server that implements the contract, for `serve`, rehearsals and
//! tests.
//!
//! `commands` chooses the listening address, the certificate and the time of shutdown.

mod accept;
mod health;
mod server;
mod service;
mod store;

pub(crate) use accept::{FailedHandshake, Listener};
pub(crate) use server::{Totals, check_clock, run};
pub(crate) use service::Behavior;
pub(crate) use store::Store;
