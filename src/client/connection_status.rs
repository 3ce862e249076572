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

use super::{
    error::CallError,
    error_chain::{find_source, is_protocol_error, root_cause},
};

/// The maximum time that a failed call waits for the reason why its connection ended.
const CLOSE_REASON_WAIT: Duration = Duration::from_millis(100);

/// The state of a connection, shared by all calls on that connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectionStatus {
    /// The reason why the connection ended, or `None` while the connection is open.
    pub(super) close_reason: watch::Receiver<Option<CloseReason>>,
    /// Whether the server sent GOAWAY.
    pub(super) has_goaway: Arc<AtomicBool>,
}

/// The reason why a connection ended. The default value stands for a connection that ended without
/// an error.
#[derive(Clone, Debug, Default)]
pub(super) struct CloseReason {
    cause: String,
    /// Whether the server sent bytes that are not valid TLS or HTTP/2.
    is_protocol_error: bool,
    /// The error code of the server's GOAWAY frame, or `None` if GOAWAY did not end the connection.
    goaway: Option<h2::Reason>,
}

impl CloseReason {
    pub(super) fn from_error(error: &hyper::Error) -> Self {
        let h2 = find_source::<h2::Error>(Some(error));
        Self {
            cause: root_cause(error),
            is_protocol_error: is_protocol_error(error),
            goaway: h2.filter(|h2| h2.is_remote()).and_then(h2::Error::reason),
        }
    }
}

impl ConnectionStatus {
    /// Adds the reason why the connection ended to the error of a call. The error of the call
    /// itself often says only that the connection is closed.
    pub(super) async fn refine_error(mut self, error: CallError) -> CallError {
        let close_reason = match &error {
            CallError::ConnectionLost(_) => {
                let closed = self.close_reason.wait_for(Option::is_some);
                let closed = tokio::time::timeout(CLOSE_REASON_WAIT, closed).await;
                closed
                    .ok()
                    .and_then(Result::ok)
                    .and_then(|reason| reason.clone())
            }
            // Other calls may keep the connection open for a long time, so this call does not wait
            // for the close reason.
            CallError::NotSent { .. } => self.close_reason.borrow().clone(),
            _ => None,
        };
        let reason = close_reason.unwrap_or_default();
        match (error, reason.goaway) {
            _ if reason.is_protocol_error => CallError::ProtocolError(reason.cause),
            (_, Some(code)) if code != h2::Reason::NO_ERROR => CallError::GoAway(code),
            (CallError::ConnectionLost(_), _) if !reason.cause.is_empty() => {
                CallError::ConnectionLost(reason.cause)
            }
            (CallError::NotSent { cause, .. }, _) => CallError::NotSent {
                cause,
                has_goaway: self.has_goaway.load(Ordering::Relaxed),
            },
            (error, _) => error,
        }
    }
}
