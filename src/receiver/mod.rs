//! The reference receiver: a server of the contract, for `serve`, rehearsals and tests.
//!
//! Where it listens, which certificate it presents and when it stops is decided by `commands`.

mod accept;
mod open_requests;
mod server;
mod service;
mod store;

pub(crate) use accept::Listener;
pub(crate) use server::{Totals, run};
pub(crate) use service::Behavior;
pub(crate) use store::Store;
