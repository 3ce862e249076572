//! [`OutcomeSink`]: receives the outcome of each record as soon as the outcome is known.

use std::time::Duration;

use super::outcome::AttemptFailure;
use crate::{batch::Batch, client::CallError};

/// The outputs of a push that depend on the outcome of each record: ledger, rejects file, progress.
pub(crate) trait OutcomeSink {
    fn acknowledged(&mut self, batch: &Batch) -> Result<(), SinkError>;

    fn unacknowledged(
        &mut self,
        batch: &Batch,
        reason: &UnacknowledgedReason,
    ) -> Result<(), SinkError>;

    /// Takes the failure of an attempt whose retry starts after `delay`.
    fn retrying(&mut self, failure: &AttemptFailure, delay: Duration);

    /// Returns whether [`Self::unacknowledged`] must also be called for batches that were never
    /// attempted. If so, a stopped push reads the rest of the input.
    fn wants_unattempted(&self) -> bool;
}

/// The error that an output could not be written, which stops the push. The sink stores the cause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinkError;

const UNKNOWN: &str = "; outcome unknown";

/// The reason why records were not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnacknowledgedReason {
    /// The server answered with this response code, which does not mean success.
    #[error("rejected: code {0}")]
    ResponseCode(i32),
    /// The request had a single record, and the server rejected the request with this gRPC status.
    #[error("rejected: {0}")]
    Rejected(CallError),
    #[error("unsent: {0}{unknown}", unknown = if .0.is_outcome_unknown() { UNKNOWN } else { "" })]
    RequestFailed(CallError),
    /// The push did not wait for the response.
    #[error("unsent: the push stopped before the response{UNKNOWN}")]
    Abandoned,
    #[error("unsent: the push stopped")]
    PushStopped,
}
