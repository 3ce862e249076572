//! [`CallError`]: the reason why a gRPC call returned no response message.
//!
//! `delivery/retry_decision.rs` decides which of these errors are retried. `diagnostics/call.rs`
//! contains their user-visible text.

use std::time::Duration;

use tonic::Code;

/// The reason why a gRPC call returned no response message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The timeout of the call passed.
    TimedOut(Duration),
    /// The server ended the call with a gRPC status other than OK.
    Status {
        code: Code,
        message: String,
        advice: RetryAdvice,
    },
    /// The response has an HTTP status other than 200 and no gRPC status.
    HttpStatus(u16),
    /// The response has HTTP status 200 and a content type other than `application/grpc`.
    NotGrpc { content_type: String },
    /// The response message is truncated or cannot be decoded, or the response has more than one
    /// message.
    MalformedResponse(String),
    /// The server sent gRPC status OK and no message.
    MissingMessage,
    /// The server ended the response without a `grpc-status`.
    MissingStatus,
    /// The response has a `grpc-status` that is not a number from 0 to 16, or several `grpc-status`
    /// fields with different values.
    InvalidStatus(String),
    /// The server reset the HTTP/2 stream (`RST_STREAM`).
    StreamReset(h2::Reason),
    /// The server sent GOAWAY with this error code. With `NO_ERROR`, the server did not process the
    /// request.
    GoAway(h2::Reason),
    /// The connection had ended before the request was sent.
    NotSent {
        causes: Vec<String>,
        /// Whether the server had sent GOAWAY on the connection.
        has_goaway: bool,
    },
    /// The server or the network ended the connection during the call.
    ConnectionLost(Vec<String>),
    /// The server sent bytes that are not valid TLS or HTTP/2.
    ProtocolError(Vec<String>),
    /// The code that made the call panicked because of a bug in this program or in a library.
    Panicked,
}

impl CallError {
    /// Returns the texts in which the error may quote the server.
    pub(super) fn server_texts(&mut self) -> &mut [String] {
        match self {
            Self::Status { message: text, .. }
            | Self::NotGrpc { content_type: text }
            | Self::MalformedResponse(text)
            | Self::InvalidStatus(text) => std::slice::from_mut(text),
            Self::NotSent { causes: texts, .. }
            | Self::ConnectionLost(texts)
            | Self::ProtocolError(texts) => texts,
            Self::TimedOut(_)
            | Self::HttpStatus(_)
            | Self::MissingMessage
            | Self::MissingStatus
            | Self::StreamReset(_)
            | Self::GoAway(_)
            | Self::Panicked => &mut [],
        }
    }

    /// Turns a CANCELLED status into [`CallError::TimedOut`] if `elapsed` is at least `timeout`.
    ///
    /// The server also knows the deadline (`grpc-timeout`), and many servers report a passed
    /// deadline as CANCELLED. Unlike a timeout, CANCELLED is not retried.
    pub(super) fn into_timeout_if_late(self, elapsed: Duration, timeout: Duration) -> Self {
        match self {
            Self::Status {
                code: Code::Cancelled,
                ..
            } if elapsed >= timeout => Self::TimedOut(timeout),
            error => error,
        }
    }

    /// Returns whether the error concerns only this request, so other requests to the same server
    /// may succeed.
    pub(crate) fn is_request_specific(&self) -> bool {
        self.is_invalid_argument() || self.is_message_too_large() || matches!(self, Self::Panicked)
    }

    /// Returns whether the server ended the call with `INVALID_ARGUMENT`.
    pub(crate) fn is_invalid_argument(&self) -> bool {
        matches!(
            self,
            Self::Status {
                code: Code::InvalidArgument,
                ..
            }
        )
    }

    /// Returns whether the server did not accept the request because it is too large.
    ///
    /// gRPC has no separate status for this error, so the message is searched for the words of
    /// common gRPC implementations.
    pub(crate) fn is_message_too_large(&self) -> bool {
        let Self::Status {
            code: Code::ResourceExhausted | Code::OutOfRange,
            message,
            ..
        } = self
        else {
            return false;
        };
        let message = message.to_ascii_lowercase();
        [
            "larger than max",
            "too large",
            "maximum size",
            "message size",
        ]
        .iter()
        .any(|words| message.contains(words))
    }

    /// Returns whether the error ends the use of the connection, so the next call needs a new
    /// connection.
    ///
    /// A timeout counts as the end of the connection, because the network does not always report a
    /// dead connection.
    pub(crate) fn is_end_of_connection(&self) -> bool {
        matches!(
            self,
            Self::GoAway(_)
                | Self::NotSent { .. }
                | Self::ConnectionLost(_)
                | Self::ProtocolError(_)
                | Self::TimedOut(_)
        )
    }
}

/// The server's advice on retrying a failed call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RetryAdvice {
    #[default]
    Unspecified,
    /// The server asks for a retry after exactly this delay (`grpc-retry-pushback-ms` of gRFC A6,
    /// or `google.rpc.RetryInfo`).
    After(Duration),
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: Code, message: &str) -> CallError {
        CallError::Status {
            code,
            message: message.to_owned(),
            advice: RetryAdvice::default(),
        }
    }

    #[test]
    fn cancellation_after_the_timeout_is_a_timeout() {
        let timeout = Duration::from_millis(100);
        let status = |code| status(code, "Timeout expired");
        for (code, elapsed, expected) in [
            (Code::Cancelled, timeout, CallError::TimedOut(timeout)),
            (Code::Cancelled, timeout / 2, status(Code::Cancelled)),
            (Code::Internal, timeout, status(Code::Internal)),
        ] {
            assert_eq!(
                status(code).into_timeout_if_late(elapsed, timeout),
                expected
            );
        }
    }

    #[test]
    fn only_invalid_argument_and_size_errors_are_request_specific() {
        for (error, expected) in [
            (status(Code::InvalidArgument, ""), true),
            (
                status(
                    Code::ResourceExhausted,
                    "grpc: received message larger than max (5 vs. 4)",
                ),
                true,
            ),
            (
                status(
                    Code::OutOfRange,
                    "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
                ),
                true,
            ),
            (status(Code::ResourceExhausted, "quota exceeded"), false),
            (status(Code::Unavailable, ""), false),
            (status(Code::Unauthenticated, ""), false),
            (CallError::MissingStatus, false),
            (CallError::TimedOut(Duration::from_secs(1)), false),
        ] {
            assert_eq!(error.is_request_specific(), expected, "{error:?}");
        }
    }
}
