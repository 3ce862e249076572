//! [`ConnectionStatus`]: the reason why a connection ended, which explains the errors of the calls
//! on that connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::error::CallError;

/// The maximum time that a failed call waits for the reason why its connection ended.
const CLOSE_REASON_WAIT: Duration = Duration::from_millis(100);

/// The state of a connection, shared by all calls on that connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectionStatus {
    /// The error that ended the connection, or `None` while the connection is open or if it ended
    /// without an error.
    pub(super) close_reason: watch::Receiver<Option<CallError>>,
    /// Whether the server sent GOAWAY.
    pub(super) has_goaway: Arc<AtomicBool>,
}

impl ConnectionStatus {
    /// Adds the reason why the connection ended to the error of a call. The error of the call
    /// itself often says only that the connection is closed.
    pub(super) async fn refine_error(mut self, error: CallError) -> CallError {
        let close_reason = match &error {
            CallError::ConnectionLost(_) => {
                let closed = self.close_reason.wait_for(Option::is_some);
                match tokio::time::timeout(CLOSE_REASON_WAIT, closed).await {
                    Ok(Ok(reason)) => reason.clone(),
                    Ok(Err(_)) | Err(_) => None,
                }
            }
            // Other calls may keep the connection open for a long time, so this call does not wait
            // for the close reason.
            CallError::NotSent { .. } => self.close_reason.borrow().clone(),
            _ => None,
        };
        match (error, close_reason) {
            (_, Some(reason @ CallError::GoAway(code))) if code != h2::Reason::NO_ERROR => reason,
            (_, Some(reason @ CallError::ProtocolError(_)))
            | (CallError::ConnectionLost(_), Some(reason @ CallError::ConnectionLost(_))) => reason,
            (CallError::NotSent { cause, .. }, _) => CallError::NotSent {
                cause,
                has_goaway: self.has_goaway.load(Ordering::Relaxed),
            },
            (error, _) => error,
        }
    }
}
