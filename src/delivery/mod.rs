//! Sends the requests of a push: in flight, retried, split and stopped as the [`DeliveryPolicy`]
//! says, until the outcome of every record is known.
//!
//! Several requests may be in flight, and a retry may be sent after later requests: the tokens of a
//! push are unique, so the order in which requests arrive does not matter.
//!
//! - [`mod@deliver`] takes requests from a channel (`batch_queue`) and keeps them in flight.
//! - `batch_delivery` sends one request: attempts, retries, splitting.
//! - `retry_decision`, `attempt_counter`, `retry_throttle` and `policy` decide whether and when a
//!   failed attempt is retried. No other place of the program decides this.
//! - `connection_slot` holds the connection that all requests share, `rate_limiter` the rate limit.
//! - `delivery_state` holds the counts, and stops the push.
//! - `outcome` and `outcome_sink` hold the results that the caller gets, at the end and meanwhile.
//! - `reflection` fetches a server's descriptors with the same retries.
//!
//! How one call is made and why it fails is in `client`; the text of a failure is in `diagnostics`.

mod attempt_counter;
mod batch_delivery;
mod batch_queue;
mod connection_slot;
mod deliver;
mod delivery_state;
mod outcome;
mod outcome_sink;
mod policy;
mod rate_limiter;
mod reflection;
mod retry_decision;
mod retry_throttle;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    batch_queue::{batch_channel, send_next_batch},
    deliver::deliver,
    outcome::{AttemptFailure, DeliveryOutcome, RejectedRecord, StopReason},
    outcome_sink::{OutcomeSink, SinkError, UnacknowledgedReason},
    policy::DeliveryPolicy,
    reflection::{FetchDescriptorsError, fetch_descriptors},
    server::RemoteServer,
};
