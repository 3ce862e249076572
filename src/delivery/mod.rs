//! Sends the records of a push to the server and determines the outcome of every record, within the
//! limits of the [`DeliveryPolicy`].
//!
//! - A *batch* is the records of one request.
//! - An *attempt* is one transmission of a request. A *retry* is an attempt after a failed attempt
//!   of the same request.
//! - A request is *in flight* from the moment its batch is taken from the channel until its outcome
//!   is known. This includes the delays between its attempts. An attempt is in flight until its
//!   gRPC call ends.
//!
//! The order in which requests reach the server may differ from the order of the input, because
//! several requests are in flight and some are retried. The order does not matter: the tokens of a
//! push are unique, so no record overrides a different record.

mod batch_channel;
mod batch_delivery;
mod connection_slot;
mod deliver;
mod delivery_state;
mod outcome;
mod outcome_sink;
mod policy;
mod rate_limiter;
mod reflection;
mod retry_decision;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    batch_channel::{batch_channel, send_next_batch},
    deliver::deliver,
    outcome::{AttemptError, AttemptFailure, DeliveryOutcome, RequestCounts, StopReason},
    outcome_sink::{OutcomeSink, SinkError, UnacknowledgedReason},
    policy::DeliveryPolicy,
    reflection::fetch_descriptors,
    server::RemoteServer,
};
