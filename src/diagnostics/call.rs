//! Failures of gRPC calls: the exit code and the hint for each error.

use tonic::Code;

use super::{connection::connection_failed, failure::Failure, tls::explain_client_refusal};
use crate::{
    client::{CallError, ReflectionError, Target},
    delivery::{AttemptError, AttemptFailure},
    tls::{CertificateAnswer, ClientTls},
};

const CHECK_SERVER_LOG: &str = "check the server's log, or run the command again later";
const CHECK_ADDRESS: &str = "check the address: a proxy or a server without gRPC answered";
const SHORTEN_HEADERS: &str = "pass fewer or shorter --header values";
const CHECK_METHOD_OR_GZIP: &str =
    "check the address and --method, or remove --compress gzip, which the server may not support";
const USE_DESCRIPTORS: &str = "describe the service with --proto FILE or --protoset FILE";

pub(crate) fn attempt_failed(target: &Target, failure: &AttemptFailure) -> Failure {
    let failed = match &failure.error {
        AttemptError::Call(error) => call_failed(target, error),
        AttemptError::Connect(error) => connection_failed(error),
        AttemptError::Reflection(error) => reflection_failed(target, error),
    };
    failed.after_attempts(failure.attempts)
}

pub(crate) fn call_failed(target: &Target, error: &CallError) -> Failure {
    let message = format!("gRPC call to \"{}\" failed: {error}", target.endpoint);
    let (status, hint) = match error {
        CallError::TimedOut(_) => (
            Code::DeadlineExceeded,
            Some("increase --timeout, or reduce --batch-records"),
        ),
        CallError::Status { code, .. } if target.sends_gzip && error.refuses_compression() => {
            (*code, Some("remove --compress gzip"))
        }
        CallError::Status { code, .. } if error.refuses_headers() => (*code, Some(SHORTEN_HEADERS)),
        CallError::Status {
            code: code @ Code::Unimplemented,
            ..
        } if target.sends_gzip => (*code, Some(CHECK_METHOD_OR_GZIP)),
        CallError::Status { code, .. } | CallError::TooLarge { code, .. } => {
            (*code, hint_for_status(*code))
        }
        CallError::HttpStatus { status, .. } => {
            let code = status_of_http(*status);
            let hint = match status {
                407 | 408 | 414 => None,
                421 => Some("check --servername and --authority"),
                _ if error.refuses_headers() => Some(SHORTEN_HEADERS),
                _ => hint_for_status(code).or(Some(CHECK_ADDRESS)),
            };
            (code, hint)
        }
        CallError::NotGrpc { .. } => (Code::Unknown, Some(CHECK_ADDRESS)),
        CallError::MalformedResponse(_) => (
            Code::Internal,
            Some("pass the server's contract with --proto, --protoset or --reflection"),
        ),
        CallError::InvalidFraming(_) => (Code::Internal, None),
        CallError::MissingMessage
        | CallError::MissingStatus
        | CallError::InvalidStatus(_)
        | CallError::SeveralStatuses => (Code::Unknown, None),
        CallError::GoAway { .. } if has_long_headers(target) => {
            (Code::Unavailable, Some(SHORTEN_HEADERS))
        }
        CallError::StreamReset(reason) => (status_of_reset(*reason), Some(CHECK_SERVER_LOG)),
        CallError::GoAway { .. } | CallError::NotSent { .. } | CallError::ConnectionLost(_) => {
            (Code::Unavailable, Some(CHECK_SERVER_LOG))
        }
        CallError::TooManySmallFrames => (Code::Unavailable, None),
        CallError::ProtocolError(_) => {
            return Failure::unreachable(message)
                .with_hint("check the port, and the proxies between here and the server");
        }
        CallError::Panicked => return Failure::internal_without_cause(message),
    };
    let failure = Failure::rpc(status, message);
    let tls = target.tls.as_ref();
    let is_denied = matches!(status, Code::Unauthenticated | Code::PermissionDenied);
    match tls.and_then(ClientTls::certificate_answer) {
        Some(answer) if is_denied && !matches!(answer, CertificateAnswer::Sent { .. }) => {
            explain_client_refusal(failure, &answer)
        }
        // nginx answers HTTP status 400 to a client certificate that it refuses, and to none.
        Some(answer) if matches!(error, CallError::HttpStatus { status: 400, .. }) => {
            let failure = match &answer {
                CertificateAnswer::Sent { subject, .. } => {
                    failure.with_cause(format!("client certificate {subject:?} was sent"))
                }
                CertificateAnswer::Empty | CertificateAnswer::KeyNotSupported { .. } => failure,
            };
            explain_client_refusal(failure, &answer)
        }
        _ => hint.into_iter().fold(failure, Failure::with_hint),
    }
}

/// Returns whether the headers of the user may exceed the limit of a server. Common limits are 8 KiB
/// and 16 KiB.
fn has_long_headers(target: &Target) -> bool {
    const COMMON_LIMIT_BYTES: usize = 8 << 10;
    let headers = target.metadata.headers().iter();
    let bytes = headers.map(|(name, value)| name.as_str().len() + value.len());
    bytes.sum::<usize>() > COMMON_LIMIT_BYTES
}

fn hint_for_status(status: Code) -> Option<&'static str> {
    match status {
        Code::Unavailable => Some("run the command again later"),
        Code::Unimplemented | Code::NotFound => Some(
            "check the address, and the method that --method, --proto, --protoset or --reflection selects",
        ),
        Code::DeadlineExceeded => Some("increase --timeout"),
        // A server that wants a client certificate requests it, so such a failure has another hint.
        Code::Unauthenticated => {
            Some("pass credentials that the server accepts with --header or --bearer-token-file")
        }
        Code::ResourceExhausted => {
            Some("reduce --batch-records or --batch-bytes, or run the command again later")
        }
        _ => None,
    }
}

fn reflection_failed(target: &Target, error: &ReflectionError) -> Failure {
    let server = &target.endpoint;
    let message = format!("server reflection of \"{server}\" failed: {error}");
    match error {
        ReflectionError::Call(CallError::Status {
            code: Code::Unimplemented,
            ..
        }) => Failure::rpc(
            Code::Unimplemented,
            format!("\"{server}\" has no server reflection"),
        )
        .with_hint(USE_DESCRIPTORS),
        ReflectionError::Call(error @ CallError::TimedOut(_)) => call_failed(target, error)
            .with_hint(format!("increase --timeout, or {USE_DESCRIPTORS}")),
        // Some servers end the call for an unknown service, and others answer with an error.
        ReflectionError::Refused { code, .. }
        | ReflectionError::Call(CallError::Status {
            code: code @ Code::NotFound,
            ..
        }) => {
            Failure::rpc(*code, message).with_hint(format!("check --method, or {USE_DESCRIPTORS}"))
        }
        ReflectionError::Call(error) => call_failed(target, error),
        ReflectionError::InvalidResponse(_) => {
            Failure::rpc(Code::Internal, message).with_hint(USE_DESCRIPTORS)
        }
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
