//! What became of a push and of its records.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use crate::{
    batch::Batch,
    client::{CallError, ConnectError},
    input::Problem,
    signals::Signal,
};

/// Writes down what became of each record as soon as it is known.
pub(crate) trait OutcomeSink {
    /// These records were acknowledged.
    ///
    /// # Errors
    ///
    /// An output can't be written; nothing more is to be sent.
    fn acknowledged(&mut self, batch: &Batch) -> Result<(), SinkError>;

    /// These were not.
    ///
    /// # Errors
    ///
    /// As above.
    fn unacknowledged(
        &mut self,
        batch: &Batch,
        why: &UnacknowledgedReason,
    ) -> Result<(), SinkError>;

    /// An attempt failed; its retry starts after `delay`.
    fn retrying(&mut self, failure: &AttemptFailure, delay: Duration);

    /// Whether it wants to be told of records that were not even tried.
    fn wants_unattempted(&self) -> bool;
}

/// The witness knows what went wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinkError;

/// Why records were not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnacknowledgedReason {
    /// The server answered with this code.
    ResponseCode(i32),
    /// The server refused these records: they are rejected.
    Rejected(CallError),
    /// The request failed and its records are unsent; a later push may succeed.
    RequestFailed(CallError),
    /// The push stopped before these records were attempted or acknowledged.
    PushStopped,
}

/// What a push came to: counts, and why it stopped early.
#[derive(Debug, Default)]
pub(crate) struct DeliveryOutcome {
    /// Acknowledged records.
    pub(crate) acknowledged: u64,
    /// Records that the server answered with a code that is not OK, or refused one by one.
    pub(crate) rejected: u64,
    /// Attempts of requests.
    pub(crate) attempts: u64,
    /// Attempts that were not a request's first.
    pub(crate) retries: u64,
    /// Requests that were not acknowledged.
    pub(crate) failed_requests: u64,
    /// Answered requests by the response's code.
    pub(crate) response_codes: BTreeMap<i32, u64>,
    /// The first failure that concerned its own request alone.
    pub(crate) request_error: Option<CallError>,
    /// The first records that the server refused one by one.
    pub(crate) rejected_records: Vec<RejectedRecord>,
    /// Why the push stopped before its last record.
    pub(crate) stop_reason: Option<StopReason>,
    /// The signal that arrived during the push.
    pub(crate) signal: Option<Signal>,
}

/// A record that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RejectedRecord {
    /// The record as it stands in a request.
    pub(crate) encoded: Bytes,
    pub(crate) error: CallError,
}

/// An attempt that failed, of a request or of the connection, with the number of attempts so far.
#[derive(Debug)]
pub(crate) enum AttemptFailure {
    Call { error: CallError, attempts: u32 },
    Connect { error: ConnectError, attempts: u32 },
}

/// Why a push stopped before its last record.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// An attempt failed in a way that concerns every request, and its retries are used up.
    Attempt(AttemptFailure),
    /// The second reading of the input found a problem.
    Input(Problem),
    Signal,
    /// An output could not be written.
    Output,
    /// The deadline of the whole run passed.
    DeadlinePassed {
        /// Whether a request was in flight, or the push was between two requests.
        in_request: bool,
        /// The failure that was waiting for its retry.
        last_failure: Option<AttemptFailure>,
    },
}
