//! [`OutcomeSink`]: receives the outcome of each record as soon as the outcome is known.

use std::time::Duration;

use super::outcome::AttemptFailure;
use crate::{batch::Batch, client::CallError, signals::Signal};

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

    /// Takes the signal that stops the push while requests are in flight.
    fn interrupted(&mut self, signal: Signal, open_requests: usize);

    /// Returns whether [`Self::unacknowledged`] must also be called for batches that were never
    /// attempted. If so, a stopped push reads the rest of the input.
    fn wants_unattempted(&self) -> bool;
}

/// The error that an output could not be written, which stops the push. The sink stores the cause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinkError;

/// The reason why records were not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnacknowledgedReason {
    /// The server answered with this response code, which does not mean success.
    #[error("rejected: code {0}")]
    ResponseCode(i32),
    /// The request had a single record, and the server rejected the request with this gRPC status.
    #[error("rejected: {0}")]
    Rejected(CallError),
    #[error("unsent: {error}{}", if *is_outcome_unknown { UNKNOWN } else { "" })]
    RequestFailed {
        error: CallError,
        /// Whether the server may have applied the request in this or in an earlier attempt.
        is_outcome_unknown: bool,
    },
    /// The push stopped before the response, or before the retry of an attempt without a response.
    #[error("unsent: the push stopped before the response{UNKNOWN}")]
    Abandoned,
    #[error("unsent: the push stopped")]
    PushStopped,
}

const UNKNOWN: &str = "; outcome unknown";

impl UnacknowledgedReason {
    /// Returns whether the server answered that it does not accept the records.
    pub(crate) fn is_rejection(&self) -> bool {
        matches!(self, Self::ResponseCode(_) | Self::Rejected(_))
    }

    /// Returns whether the server may have applied the records.
    pub(super) fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::RequestFailed {
                is_outcome_unknown, ..
            } => *is_outcome_unknown,
            Self::Abandoned => true,
            Self::ResponseCode(_) | Self::Rejected(_) | Self::PushStopped => false,
        }
    }
}
