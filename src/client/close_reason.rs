//! [`refine_error`]: explains the error of a call by the reason why its connection ended.

use std::time::Duration;

use tokio::sync::watch;

use super::error::{CallError, describe_reason};

/// The maximum time that a failed call waits for the reason why its connection ended.
const CLOSE_REASON_WAIT: Duration = Duration::from_millis(100);

/// The error that ended a connection, or `None` while the connection is open.
pub(super) type CloseReason = watch::Receiver<Option<CallError>>;

/// Adds the reason why the connection ended to the error of a call. The error of the call itself
/// often says only that the connection is closed.
pub(super) async fn refine_error(error: CallError, mut close_reason: CloseReason) -> CallError {
    if !matches!(
        error,
        CallError::ConnectionLost(_) | CallError::NotSent { .. }
    ) {
        return error;
    }
    let closed = close_reason.wait_for(Option::is_some);
    let reason = match tokio::time::timeout(CLOSE_REASON_WAIT, closed).await {
        Ok(Ok(reason)) => reason.clone(),
        Ok(Err(_)) | Err(_) => None,
    };
    match (error, reason) {
        (CallError::NotSent { .. }, Some(CallError::GoAway { reason, .. })) => CallError::NotSent {
            cause: format!("GOAWAY: {}", describe_reason(&reason)),
            goaway: Some(reason),
        },
        // The connection ended with a GOAWAY of this client.
        (CallError::NotSent { .. }, Some(reason @ CallError::TooManySmallFrames)) => {
            CallError::NotSent {
                cause: reason.to_string(),
                goaway: Some(h2::Reason::NO_ERROR),
            }
        }
        (CallError::NotSent { goaway, .. }, Some(CallError::ConnectionLost(cause))) => {
            CallError::NotSent { cause, goaway }
        }
        (
            error,
            Some(CallError::GoAway {
                reason: h2::Reason::NO_ERROR,
                ..
            })
            | None,
        ) => error,
        (_, Some(CallError::GoAway { reason, .. })) => CallError::GoAway {
            reason,
            is_outcome_unknown: true,
        },
        (_, Some(reason)) => reason,
    }
}
