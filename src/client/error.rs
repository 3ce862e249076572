//! [`CallError`]: the reason why a gRPC call returned no response message.

use std::time::Duration;

use tonic::Code;

use super::{retry_advice::RetryAdvice, server_text::safe_text};
use crate::metadata::Metadata;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("timed out after {0:?}")]
    TimedOut(Duration),
    #[error("{}{}{}", status_name(*code), after_colon(message), advice)]
    Status {
        code: Code,
        message: String,
        advice: RetryAdvice,
    },
    /// HTTP status 413 has the code UNKNOWN (gRPC, doc/http-grpc-status-mapping.md).
    #[error("request too large for the server ({}{})", status_name(*code), after_colon(message))]
    TooLarge { code: Code, message: String },
    #[error("HTTP status {status} instead of a gRPC response{advice}")]
    HttpStatus { status: u16, advice: RetryAdvice },
    #[error("content type \"{content_type}\" instead of a gRPC response")]
    NotGrpc { content_type: String },
    /// The message cannot be decoded with the contract.
    #[error("malformed response: {0}")]
    MalformedResponse(String),
    /// The response is not exactly one message with the prefix of gRPC.
    #[error("malformed response: {0}")]
    InvalidFraming(&'static str),
    #[error("status OK without a response message")]
    MissingMessage,
    #[error("response without grpc-status")]
    MissingStatus,
    #[error("invalid grpc-status \"{0}\"")]
    InvalidStatus(String),
    #[error("response with several different grpc-status values")]
    SeveralStatuses,
    #[error("server reset the stream ({})", describe_reason(.0))]
    StreamReset(h2::Reason),
    /// The server sent GOAWAY with this error code.
    #[error("server closed the connection (GOAWAY: {})", describe_reason(reason))]
    GoAway {
        reason: h2::Reason,
        /// Whether the server may have processed the request. The last stream in the GOAWAY tells.
        is_outcome_unknown: bool,
    },
    /// This client ended the connection, because the HTTP/2 library limits the number of empty and
    /// of very small DATA frames.
    #[error("client closed the connection, because the server sent too many small HTTP/2 frames")]
    TooManySmallFrames,
    #[error("connection lost before the request was sent{}", after_colon(cause))]
    NotSent {
        /// The reason why the connection ended, or an empty text.
        cause: String,
        /// The error code of the GOAWAY that ended the connection.
        goaway: Option<h2::Reason>,
    },
    /// The server or the network ended the connection during the call.
    #[error("connection lost{}", after_colon(.0))]
    ConnectionLost(String),
    #[error("server violated the protocol: {0}")]
    ProtocolError(String),
    #[error("internal error (bug); please report it")]
    Panicked,
}

impl CallError {
    /// Returns whether the server may have applied the request, because no response arrived.
    pub(crate) fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::TimedOut(_)
            | Self::ConnectionLost(_)
            | Self::TooManySmallFrames
            | Self::ProtocolError(_)
            // A proxy got no response from the server.
            | Self::HttpStatus {
                status: 502 | 504, ..
            }
            | Self::Status {
                code: Code::DeadlineExceeded,
                ..
            } => true,
            Self::StreamReset(reason) => *reason != h2::Reason::REFUSED_STREAM,
            Self::GoAway {
                is_outcome_unknown, ..
            } => *is_outcome_unknown,
            _ => false,
        }
    }

    /// Returns the error for a gRPC status other than OK.
    ///
    /// gRPC has no status for a request that is too large, so the message is searched for the words
    /// of common gRPC implementations.
    pub(super) fn from_status(code: Code, message: String, advice: RetryAdvice) -> Self {
        const TOO_LARGE: [&str; 4] = [
            "larger than max",
            "too large",
            "maximum size",
            "message size",
        ];
        let lowercase = message.to_ascii_lowercase();
        // A smaller request has the same headers.
        let is_too_large = matches!(code, Code::ResourceExhausted | Code::OutOfRange)
            && TOO_LARGE.iter().any(|words| lowercase.contains(words))
            && !is_about_headers(&lowercase);
        if is_too_large {
            return Self::TooLarge { code, message };
        }
        Self::Status {
            code,
            message,
            advice,
        }
    }

    /// Returns whether the server refused the length of the headers, which gRPC also calls metadata.
    pub(crate) fn refuses_headers(&self) -> bool {
        match self {
            Self::HttpStatus { status, .. } => *status == 431,
            Self::Status {
                code: Code::ResourceExhausted,
                message,
                ..
            } => is_about_headers(message),
            _ => false,
        }
    }

    /// Returns whether the server says that it cannot decompress the request.
    pub(crate) fn refuses_compression(&self) -> bool {
        // The words are those of the gRPC libraries for C++, Go, Java, .NET and Rust.
        const WORDS: [&str; 2] = ["compress", "grpc-encoding"];
        let Self::Status { message, .. } = self else {
            return false;
        };
        let message = message.to_ascii_lowercase();
        WORDS.iter().any(|words| message.contains(words))
    }

    /// Makes the text in which the error may quote the server safe to show.
    pub(super) fn with_safe_text<'t>(
        mut self,
        metadata: &Metadata,
        tokens: impl Iterator<Item = &'t [u8]>,
    ) -> Self {
        match &mut self {
            Self::Status { message: text, .. }
            | Self::TooLarge { message: text, .. }
            | Self::NotGrpc { content_type: text }
            | Self::MalformedResponse(text)
            | Self::InvalidStatus(text)
            | Self::NotSent { cause: text, .. }
            | Self::ConnectionLost(text)
            | Self::ProtocolError(text) => *text = safe_text(text, metadata, tokens),
            Self::TimedOut(_)
            | Self::HttpStatus { .. }
            | Self::MissingMessage
            | Self::MissingStatus
            | Self::InvalidFraming(_)
            | Self::SeveralStatuses
            | Self::StreamReset(_)
            | Self::GoAway { .. }
            | Self::TooManySmallFrames
            | Self::Panicked => {}
        }
        self
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
}

fn is_about_headers(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["header", "metadata"]
        .iter()
        .any(|word| message.contains(word))
}

pub(super) fn describe_reason(reason: &h2::Reason) -> &str {
    match reason {
        &h2::Reason::NO_ERROR => "no error given",
        reason => reason.description(),
    }
}

fn after_colon(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

/// Returns the name that the gRPC specification has for a status (doc/statuscodes.md).
pub(super) fn status_name(status: Code) -> &'static str {
    match status {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: Code, message: &str) -> CallError {
        CallError::from_status(code, message.to_owned(), RetryAdvice::default())
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
    fn recognizes_requests_that_are_too_large() {
        const TONIC: &str =
            "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes";
        const GO: &str = "grpc: received message larger than max (5 vs. 4)";
        for (code, message, expected) in [
            (Code::ResourceExhausted, GO, true),
            (Code::OutOfRange, TONIC, true),
            (Code::ResourceExhausted, "quota exceeded", false),
            (Code::ResourceExhausted, "header list too large", false),
            (Code::InvalidArgument, GO, false),
        ] {
            let is_too_large = matches!(status(code, message), CallError::TooLarge { .. });
            assert_eq!(is_too_large, expected, "{message}");
        }
    }
}
