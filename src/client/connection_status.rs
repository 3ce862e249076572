//! [`ConnectionStatus`]: the reason why a connection ended, which explains the errors of the calls
//! on that connection.

use std::time::Duration;

use tokio::sync::watch;

use super::error::CallError;

/// The maximum time that a failed call waits for the reason why its connection ended.
const CLOSE_REASON_WAIT: Duration = Duration::from_millis(100);

/// The state of a connection, shared by all calls on that connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectionStatus {
    /// The error that ended the connection, or `None` while the connection is open.
    pub(super) close_reason: watch::Receiver<Option<CallError>>,
}

impl ConnectionStatus {
    /// Adds the reason why the connection ended to the error of a call. The error of the call
    /// itself often says only that the connection is closed.
    pub(super) async fn refine_error(mut self, error: CallError) -> CallError {
        if !matches!(
            error,
            CallError::ConnectionLost(_) | CallError::NotSent { .. }
        ) {
            return error;
        }
        let closed = self.close_reason.wait_for(Option::is_some);
        let close_reason = match tokio::time::timeout(CLOSE_REASON_WAIT, closed).await {
            Ok(Ok(reason)) => reason.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        match (error, close_reason) {
            (CallError::NotSent { cause, .. }, Some(CallError::GoAway(h2::Reason::NO_ERROR))) => {
                CallError::NotSent {
                    cause,
                    has_goaway: true,
                }
            }
            (error, Some(CallError::GoAway(h2::Reason::NO_ERROR)) | None)
            | (error @ CallError::NotSent { .. }, Some(CallError::ConnectionLost(_))) => error,
            (_, Some(reason)) => reason,
        }
    }
}
