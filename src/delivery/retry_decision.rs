//! [`RetryDecision`]: the decision whether a failed attempt is retried.

use std::time::Duration;

use http::StatusCode;
use tonic::Code;

use super::outcome::AttemptError;
use crate::client::{CallError, ConnectError, ConnectErrorKind, ReflectionError, RetryAdvice};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryDecision {
    Never,
    /// Retry at once and without using up a retry, because the server did not process the request
    /// ("transparent retry" in gRFC A6).
    Transparent,
    Backoff,
    /// Retry after a fixed delay plus an exponential backoff, because the server sent
    /// `ENHANCE_YOUR_CALM`.
    LongBackoff,
    After(Duration),
}

pub(super) fn decide_retry(error: &AttemptError) -> RetryDecision {
    match error {
        AttemptError::Call(error) | AttemptError::Reflection(ReflectionError::Call(error)) => {
            decide_call_retry(error)
        }
        AttemptError::Reflection(_) => RetryDecision::Never,
        AttemptError::Connect(error) => decide_connect_retry(error),
    }
}

/// Decides whether to retry a request after a call error.
///
/// A request that may have reached the server can be retried, because updates are idempotent.
pub(super) fn decide_call_retry(error: &CallError) -> RetryDecision {
    match error {
        CallError::Status { code, advice, .. } if is_transient(*code) => follow(*advice),
        CallError::HttpStatus {
            status: 429 | 502..=504,
            advice,
        } => follow(*advice),
        CallError::TimedOut(_) | CallError::ConnectionLost(_) => RetryDecision::Backoff,
        CallError::StreamReset(h2::Reason::ENHANCE_YOUR_CALM)
        | CallError::GoAway {
            reason: h2::Reason::ENHANCE_YOUR_CALM,
            ..
        }
        | CallError::NotSent {
            goaway: Some(h2::Reason::ENHANCE_YOUR_CALM),
            ..
        } => RetryDecision::LongBackoff,
        CallError::StreamReset(h2::Reason::REFUSED_STREAM) => RetryDecision::Transparent,
        error if is_harmless_close(error) => RetryDecision::Transparent,
        CallError::StreamReset(_) | CallError::GoAway { .. } | CallError::NotSent { .. } => {
            RetryDecision::Backoff
        }
        _ => RetryDecision::Never,
    }
}

fn follow(advice: RetryAdvice) -> RetryDecision {
    match advice {
        RetryAdvice::Unspecified => RetryDecision::Backoff,
        RetryAdvice::After(delay) if delay <= RetryAdvice::MAX_DELAY => RetryDecision::After(delay),
        RetryAdvice::After(_) | RetryAdvice::Never | RetryAdvice::Invalid => RetryDecision::Never,
    }
}

/// Returns whether one side ended the connection for a reason that concerns no request: the server
/// sent GOAWAY and did not process this request, or this client reached a limit of its own.
pub(super) fn is_harmless_close(error: &CallError) -> bool {
    matches!(
        error,
        CallError::GoAway {
            is_outcome_unknown: false,
            ..
        } | CallError::NotSent {
            goaway: Some(_),
            ..
        } | CallError::TooManySmallFrames
    )
}

/// Returns whether a request that failed with this status code may succeed if it is sent again.
fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::ResourceExhausted
    )
}

/// Decides whether to connect again after a connect error.
fn decide_connect_retry(error: &ConnectError) -> RetryDecision {
    match &error.kind {
        ConnectErrorKind::Http2(error) => decide_call_retry(error),
        ConnectErrorKind::TimedOut(_)
        | ConnectErrorKind::Io(_)
        | ConnectErrorKind::NoAddress
        | ConnectErrorKind::NoThread(_)
        | ConnectErrorKind::AllAddressesFailed(_)
        | ConnectErrorKind::ProxyClosed
        | ConnectErrorKind::Closed => RetryDecision::Backoff,
        ConnectErrorKind::ProxyRefused(status)
            if status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS =>
        {
            RetryDecision::Backoff
        }
        _ => RetryDecision::Never,
    }
}

/// Returns whether a call error concerns only its request, so other requests to the same server may
/// succeed.
pub(super) fn is_request_specific(error: &CallError) -> bool {
    is_invalid_argument(error) || matches!(error, CallError::TooLarge { .. } | CallError::Panicked)
}

pub(super) fn is_invalid_argument(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Status {
            code: Code::InvalidArgument,
            ..
        }
    )
}

/// Returns whether the next call after a call error needs a new connection.
///
/// A timeout counts as the end of the connection, because the network does not always report a dead
/// connection.
pub(super) fn is_end_of_connection(error: &CallError) -> bool {
    matches!(
        error,
        CallError::GoAway { .. }
            | CallError::TooManySmallFrames
            | CallError::NotSent { .. }
            | CallError::ConnectionLost(_)
            | CallError::ProtocolError(_)
            | CallError::TimedOut(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: Code, advice: RetryAdvice) -> CallError {
        CallError::Status {
            code,
            message: String::new(),
            advice,
        }
    }

    #[test]
    fn retries_transient_failures_only() {
        let second = Duration::from_secs(1);
        let plain = |code| status(code, RetryAdvice::Unspecified);
        let http = |status| CallError::HttpStatus {
            status,
            advice: RetryAdvice::Unspecified,
        };
        for (error, expected) in [
            (plain(Code::Unavailable), RetryDecision::Backoff),
            (plain(Code::DeadlineExceeded), RetryDecision::Backoff),
            (plain(Code::Aborted), RetryDecision::Backoff),
            (plain(Code::ResourceExhausted), RetryDecision::Backoff),
            (
                CallError::TooLarge {
                    code: Code::ResourceExhausted,
                    message: String::new(),
                },
                RetryDecision::Never,
            ),
            (
                status(Code::Unavailable, RetryAdvice::After(second)),
                RetryDecision::After(second),
            ),
            (
                status(Code::Unavailable, RetryAdvice::After(600 * second)),
                RetryDecision::After(600 * second),
            ),
            (
                status(Code::Unavailable, RetryAdvice::After(601 * second)),
                RetryDecision::Never,
            ),
            (
                status(Code::Unavailable, RetryAdvice::Never),
                RetryDecision::Never,
            ),
            // A delay that the server asks for does not make a permanent failure transient.
            (
                status(Code::InvalidArgument, RetryAdvice::After(second)),
                RetryDecision::Never,
            ),
            (plain(Code::Unknown), RetryDecision::Never),
            (plain(Code::Internal), RetryDecision::Never),
            (plain(Code::Cancelled), RetryDecision::Never),
            (plain(Code::DataLoss), RetryDecision::Never),
            (plain(Code::Unauthenticated), RetryDecision::Never),
            (plain(Code::Unimplemented), RetryDecision::Never),
            (http(503), RetryDecision::Backoff),
            (http(429), RetryDecision::Backoff),
            (http(401), RetryDecision::Never),
            (CallError::TimedOut(second), RetryDecision::Backoff),
            (
                CallError::ConnectionLost(String::new()),
                RetryDecision::Backoff,
            ),
            (CallError::MissingStatus, RetryDecision::Never),
            (
                CallError::MalformedResponse(String::new()),
                RetryDecision::Never,
            ),
            (CallError::Panicked, RetryDecision::Never),
        ] {
            assert_eq!(decide_call_retry(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn retries_closed_connections_and_reset_streams() {
        let not_sent = |goaway| CallError::NotSent {
            cause: String::new(),
            goaway,
        };
        let goaway = |reason, is_outcome_unknown| CallError::GoAway {
            reason,
            is_outcome_unknown,
        };
        for (error, expected) in [
            (not_sent(None), RetryDecision::Backoff),
            (
                not_sent(Some(h2::Reason::NO_ERROR)),
                RetryDecision::Transparent,
            ),
            (
                not_sent(Some(h2::Reason::INTERNAL_ERROR)),
                RetryDecision::Transparent,
            ),
            (
                not_sent(Some(h2::Reason::ENHANCE_YOUR_CALM)),
                RetryDecision::LongBackoff,
            ),
            (CallError::TooManySmallFrames, RetryDecision::Transparent),
            (
                CallError::StreamReset(h2::Reason::REFUSED_STREAM),
                RetryDecision::Transparent,
            ),
            (
                goaway(h2::Reason::NO_ERROR, false),
                RetryDecision::Transparent,
            ),
            (
                goaway(h2::Reason::PROTOCOL_ERROR, false),
                RetryDecision::Transparent,
            ),
            (
                goaway(h2::Reason::PROTOCOL_ERROR, true),
                RetryDecision::Backoff,
            ),
            (
                goaway(h2::Reason::ENHANCE_YOUR_CALM, false),
                RetryDecision::LongBackoff,
            ),
            (
                goaway(h2::Reason::ENHANCE_YOUR_CALM, true),
                RetryDecision::LongBackoff,
            ),
            (
                CallError::StreamReset(h2::Reason::INTERNAL_ERROR),
                RetryDecision::Backoff,
            ),
            (
                CallError::StreamReset(h2::Reason::CANCEL),
                RetryDecision::Backoff,
            ),
            (
                CallError::StreamReset(h2::Reason::ENHANCE_YOUR_CALM),
                RetryDecision::LongBackoff,
            ),
        ] {
            assert_eq!(decide_call_retry(&error), expected, "{error:?}");
        }
    }
}
