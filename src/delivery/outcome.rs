//! [`DeliveryOutcome`]: the counts of a push, and the reason why the push stopped early.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    client::{CallError, ConnectError, ReflectionError},
    input::Problem,
    signals::Signal,
};

#[derive(Debug, Default)]
pub(crate) struct DeliveryOutcome {
    pub(crate) acknowledged: u64,
    /// Number of records that the server rejected, either by a response code that does not mean
    /// success or by a gRPC status for a single record.
    pub(crate) rejected: u64,
    /// Number of unacknowledged records that the server may have applied, because no response
    /// arrived.
    pub(crate) unknown: u64,
    pub(crate) requests: RequestCounts,
    pub(crate) response_codes: BTreeMap<i32, u64>,
    /// The first call error that concerned only one request and therefore did not stop the push.
    pub(crate) request_error: Option<CallError>,
    /// The first records that were rejected with a gRPC status. Error messages name them.
    pub(crate) rejected_records: Vec<RejectedRecord>,
    pub(crate) stop_reason: Option<StopReason>,
    pub(crate) signal: Option<Signal>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RequestCounts {
    /// All attempts, including retries. An attempt is not counted if the connection ended before
    /// the request was sent.
    pub(crate) sent: u64,
    pub(crate) retried: u64,
    /// Requests that failed for good, or whose response code does not mean success. A request that
    /// was split into smaller requests is not counted.
    pub(crate) failed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RejectedRecord {
    pub(crate) token: Vec<u8>,
    pub(crate) error: CallError,
}

/// A failed attempt to connect, to send a request or to fetch descriptors.
#[derive(Debug)]
pub(crate) struct AttemptFailure {
    pub(crate) error: AttemptError,
    /// The number of attempts so far, including the failed attempt.
    pub(crate) attempts: u32,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    #[error("gRPC call failed: {0}")]
    Call(CallError),
    #[error("{0}")]
    Connect(ConnectError),
    #[error("server reflection failed: {0}")]
    Reflection(ReflectionError),
}

#[derive(Debug)]
pub(crate) enum StopReason {
    /// An attempt failed for a reason that concerns other requests as well, and is not retried. Or
    /// an attempt failed, and a signal interrupted the delay before its retry.
    Attempt(AttemptFailure),
    /// The input has a problem that the validation did not find, because the input has changed or
    /// can no longer be read.
    Input(Problem),
    Signal,
    Output,
    DeadlinePassed {
        /// If `false`, the push was probably connecting or waiting for a retry.
        in_request: bool,
        /// The last failed attempt whose retry was waited for.
        last_failure: Option<AttemptFailure>,
    },
}
