//! How a call fails.

use std::time::Duration;

use tonic::Code;

/// Why a call brought no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The deadline passed here.
    TimedOut(Duration),
    /// The server's own status.
    Status {
        code: Code,
        message: String,
        advice: Advice,
    },
    /// An HTTP status other than 200, and no gRPC status with it.
    Http(u16),
    /// HTTP 200 with another content type than gRPC's.
    NotGrpc { content_type: &'static str },
    /// A message that can't be decoded, or is cut off.
    Malformed(String),
    /// OK without a message.
    NoMessage,
    /// No `grpc-status`.
    NoStatus,
    /// A `grpc-status` that is none.
    UnknownStatus(String),
    /// The server reset the stream.
    Reset(h2::Reason),
    /// The server announced the connection's end (GOAWAY) and did not process the request.
    GoneAway(h2::Reason),
    /// The connection had ended before the request was sent on it.
    NotSent {
        causes: Vec<String>,
        /// Whether the server had announced that (GOAWAY).
        announced: bool,
    },
    /// The server or the network ended the connection.
    Lost(Vec<String>),
    /// What the server sent is not HTTP/2.
    Garbled(Vec<String>),
    /// A defect in this program or below it, contained.
    Panicked,
}

impl CallError {
    /// What it is when it came so late. A server keeps the deadline too, and many call that a
    /// cancellation, which would be final.
    pub(super) fn after(self, took: Duration, limit: Duration) -> Self {
        match self {
            Self::Status {
                code: Code::Cancelled,
                ..
            } if took >= limit => Self::TimedOut(limit),
            error => error,
        }
    }
}

/// What a server says of another try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Advice {
    #[default]
    None,
    /// After this time, and no other (gRFC A6 "pushback", or `google.rpc.RetryInfo`).
    After(Duration),
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_at_the_deadline_is_the_deadline() {
        let limit = Duration::from_millis(100);
        let status = |code| CallError::Status {
            code,
            message: "Timeout expired".to_owned(),
            advice: Advice::default(),
        };
        for (code, took, expected) in [
            (Code::Cancelled, limit, CallError::TimedOut(limit)),
            (Code::Cancelled, limit / 2, status(Code::Cancelled)),
            (Code::Internal, limit, status(Code::Internal)),
        ] {
            assert_eq!(status(code).after(took, limit), expected);
        }
    }
}
