//! Failures of gRPC calls.

use tonic::Code;

use super::{failure::Failure, format::format_duration};
use crate::{client::CallError, delivery::UnacknowledgedReason};

const CHECK_LOG_OR_RETRY: &str = "check the server's log, or run it again later";
const CHECK_SERVER_AT_ADDRESS: &str = "a proxy or another server may answer at this address";

/// Returns the failure for a call that ended without a usable response.
pub(crate) fn call_failed(server: &str, error: &CallError) -> Failure {
    let failed = |status| Failure::rpc(status, format!("{server}: the request failed"));
    match error {
        CallError::TimedOut(timeout) => failed(Code::DeadlineExceeded)
            .with_cause(format!("no answer within {}", format_duration(*timeout)))
            .with_hint("--timeout waits longer; a smaller --batch-records asks for less at once"),
        CallError::Status { code, message, .. } => status_failed(server, *code, message),
        CallError::HttpStatus(status) => failed(status_of_http(*status))
            .with_cause(format!("HTTP status {status} instead of a gRPC response"))
            .with_hint(CHECK_SERVER_AT_ADDRESS),
        CallError::NotGrpc { content_type } => failed(Code::Unknown)
            .with_cause(format!(
                "an HTTP response of type {content_type} instead of a gRPC response"
            ))
            .with_hint(CHECK_SERVER_AT_ADDRESS),
        CallError::MalformedResponse(reason) => failed(Code::Internal)
            .with_cause(format!("the response can't be decoded: {reason}"))
            .with_hint("the server's contract may be another: --proto, --protoset or --reflection takes it"),
        CallError::MissingMessage => {
            failed(Code::Unknown).with_cause("OK without a response message")
        }
        CallError::MissingStatus => {
            failed(Code::Unknown).with_cause("the response has no grpc-status")
        }
        CallError::InvalidStatus(status) => failed(Code::Unknown)
            .with_cause(format!("the response's grpc-status is none: {status}")),
        CallError::StreamReset(reason) => failed(status_of_reset(*reason))
            .with_cause(format!(
                "the server reset the request: {}",
                reason.description()
            ))
            .with_hint(CHECK_LOG_OR_RETRY),
        CallError::GoAway(reason) => failed(Code::Unavailable)
            .with_cause(describe_goaway(*reason))
            .with_hint(CHECK_LOG_OR_RETRY),
        CallError::ProtocolError(causes) => {
            Failure::unreachable(format!("{server}: the request failed"))
                .with_cause("what the server sent is not HTTP/2")
                .with_causes(causes)
                .with_hint("check the port, and what stands between here and the server")
        }
        CallError::Panicked => Failure::internal_without_cause(format!(
            "{server}: the request failed by a defect of this program"
        ))
        .with_hint("please report it with what stands above; the other requests went on"),
        CallError::NotSent {
            has_goaway: true, ..
        } => failed(Code::Unavailable)
            .with_cause(describe_goaway(h2::Reason::NO_ERROR))
            .with_hint(CHECK_LOG_OR_RETRY),
        CallError::NotSent { causes, .. } | CallError::ConnectionLost(causes) => failed(Code::Unavailable)
            .with_cause("the connection was lost")
            .with_causes(causes)
            .with_hint("check the server's log; run it again: an update that did arrive does no harm twice"),
    }
}

/// Returns the failure for a call that the server ended with a gRPC status other than OK.
fn status_failed(server: &str, status: Code, message: &str) -> Failure {
    let name = status_name(status);
    let failure = Failure::rpc(status, format!("{server} answered {name}"));
    let failure = if message.is_empty() {
        failure
    } else {
        failure.with_cause(message)
    };
    match status {
        Code::Unavailable => failure.with_hint("run it again later"),
        Code::Unimplemented | Code::NotFound => {
            failure.with_hint("the server does not know this call: check the address; --proto, --protoset or --reflection takes its contract")
        }
        Code::DeadlineExceeded => failure.with_hint("--timeout gives the server longer"),
        Code::ResourceExhausted | Code::OutOfRange => {
            failure.with_hint("smaller --batch-records or --batch-bytes, or run it again later")
        }
        _ => failure,
    }
}

/// Describes in a few words why a call failed, without text of the server.
pub(crate) fn summarize_call_error(error: &CallError) -> String {
    match error {
        CallError::Status { .. } if error.is_message_too_large() => {
            "too large for the server".to_owned()
        }
        CallError::Status { code, .. } => status_name(*code).to_owned(),
        CallError::TimedOut(_) => "no answer in time".to_owned(),
        CallError::HttpStatus(status) => format!("HTTP status {status}"),
        CallError::StreamReset(_) => "the server reset the request".to_owned(),
        CallError::GoAway(_) | CallError::NotSent { .. } | CallError::ConnectionLost(_) => {
            "the connection was lost".to_owned()
        }
        CallError::Panicked => "a defect of this program".to_owned(),
        CallError::NotGrpc { .. }
        | CallError::MalformedResponse(_)
        | CallError::MissingMessage
        | CallError::MissingStatus
        | CallError::InvalidStatus(_)
        | CallError::ProtocolError(_) => "no answer that can be understood".to_owned(),
    }
}

/// Describes in a few words why a record was not acknowledged, without text of the server.
pub(crate) fn describe_unacknowledged(reason: &UnacknowledgedReason) -> String {
    match reason {
        UnacknowledgedReason::ResponseCode(code) => format!("rejected: code {code}"),
        UnacknowledgedReason::Rejected(error) => {
            format!("rejected: {}", summarize_call_error(error))
        }
        UnacknowledgedReason::RequestFailed(error) => {
            format!("unsent: {}", summarize_call_error(error))
        }
        UnacknowledgedReason::PushStopped => "unsent: the push ended before".to_owned(),
    }
}

/// Describes an HTTP/2 GOAWAY frame, with which the server ended a connection.
pub(super) fn describe_goaway(reason: h2::Reason) -> String {
    match reason {
        h2::Reason::NO_ERROR => "the server ended the connection (GOAWAY)".to_owned(),
        reason => format!("the server ended the connection: {}", reason.description()),
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

/// Maps an HTTP status to a gRPC status (gRPC, doc/http-grpc-status-mapping.md).
fn status_of_http(http_status: u16) -> Code {
    match http_status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// Maps an HTTP/2 error code to a gRPC status (gRPC, doc/PROTOCOL-HTTP2.md, "Errors").
fn status_of_reset(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}
