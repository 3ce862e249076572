//! [`DeliveryOutcome`]: the counts of a push, and the reason why it stopped early.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    client::{CallError, ConnectError},
    input::Problem,
    signals::Signal,
};

/// The counts of a push, and the reason why it stopped early.
#[derive(Debug, Default)]
pub(crate) struct DeliveryOutcome {
    /// Number of acknowledged records.
    pub(crate) acknowledged: u64,
    /// Number of records that the server refused: by a response code that does not mean success, or
    /// by a gRPC status for that record alone.
    pub(crate) rejected: u64,
    /// Number of attempts of all requests.
    pub(crate) attempts: u64,
    /// Number of attempts that were not the first of their request.
    pub(crate) retries: u64,
    /// Number of requests that were not acknowledged.
    pub(crate) failed_requests: u64,
    /// Number of answered requests, by response code.
    pub(crate) response_codes: BTreeMap<i32, u64>,
    /// The first failure that concerned its own request only.
    pub(crate) request_error: Option<CallError>,
    /// The first records that the server refused with a gRPC status of their own.
    pub(crate) rejected_records: Vec<RejectedRecord>,
    /// Why the push stopped before its last record.
    pub(crate) stop_reason: Option<StopReason>,
    /// The signal that arrived during the push.
    pub(crate) signal: Option<Signal>,
}

/// A record that the server refused with a gRPC status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RejectedRecord {
    /// The record as it stands in a request message.
    pub(crate) encoded: Bytes,
    pub(crate) error: CallError,
}

/// A failed attempt of a request, or to connect, with the number of attempts up to and including it.
#[derive(Debug)]
pub(crate) enum AttemptFailure {
    Call { error: CallError, attempts: u32 },
    Connect { error: ConnectError, attempts: u32 },
}

/// The reason why a push stopped before its last record.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// An attempt failed in a way that would fail other requests too, and is not retried.
    Attempt(AttemptFailure),
    /// Reading the validated input again found a problem: the input has changed.
    Input(Problem),
    Signal,
    /// An output could not be written.
    Output,
    /// The deadline of the whole run passed.
    DeadlinePassed {
        /// Whether a request was in flight, or requests had been attempted and no retry was waiting.
        /// Otherwise the push was connecting or waiting for a retry.
        in_request: bool,
        /// The failure whose retry was waiting.
        last_failure: Option<AttemptFailure>,
    },
}
