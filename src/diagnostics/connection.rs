//! Connections and calls that failed, in words.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tonic::Code;

use super::{Failure, Kind, OTHER, TLS, UNREACHABLE};
use crate::{
    client::{CallError, Cause, ConnectError, Stage},
    delivery::Why,
    input::Position,
    record::MaskedToken,
};

impl Failure {
    /// No connection.
    pub(crate) fn connect(error: &ConnectError) -> Self {
        let server = error.endpoint.to_string();
        let way = match &error.proxy {
            Some(proxy) => format!(" through the proxy {proxy}"),
            None => String::new(),
        };
        let unreachable = || {
            Self::new(
                Kind::Unreachable,
                UNREACHABLE,
                format!("{server} could not be reached{way}"),
            )
        };
        match &error.cause {
            Cause::TimedOut(limit) => unreachable()
                .own_cause(format!(
                    "{} timed out after {}",
                    doing(error.stage),
                    seconds(*limit)
                ))
                .hint(match error.stage {
                    Stage::Dns => "check the name and the resolver",
                    Stage::Tcp => "check the address, the port and firewalls; --connect-timeout waits longer",
                    Stage::Proxy => "the proxy takes connections but does not answer: check it; --connect-timeout waits longer",
                    Stage::Tls | Stage::Http2 => {
                        "the server takes connections but does not answer: check it; --connect-timeout waits longer"
                    }
                }),
            Cause::NoAddress => unreachable()
                .own_cause("its name has no address")
                .hint("check the name"),
            Cause::Io(error_) if error.stage == Stage::Dns => unreachable()
                .own_cause(format!("its name can't be looked up: {error_}"))
                .hint("check the name and the resolver"),
            Cause::Refused(failures) => {
                let failures = failures.iter();
                let causes = failures.map(|(address, error)| format!("{address}: {error}"));
                causes.fold(unreachable(), Self::own_cause).hint("check that the server runs, and its address and port")
            }
            Cause::Io(error_) => unreachable()
                .cause(format!("{} failed: {error_}", doing(error.stage)))
                .hint("check that the server runs, and its address and port"),
            Cause::Proxy(StatusCode::PROXY_AUTHENTICATION_REQUIRED) => unreachable()
                .cause("the proxy demands other credentials: HTTP status 407")
                .hint("--proxy http://USER:PASSWORD@HOST:PORT"),
            Cause::Proxy(status) => unreachable()
                .cause(format!("the proxy refused: HTTP status {status}"))
                .hint("ask whoever runs the proxy whether it lets this server through; NO_PROXY goes without it"),
            Cause::NoProxy => unreachable()
                .cause("the proxy does not speak HTTP")
                .hint("check the proxy's address: it must take HTTP CONNECT"),
            Cause::Closed if error.stage == Stage::Proxy => unreachable()
                .cause("the proxy closed the connection without an answer")
                .hint("check the proxy's address, and that it takes HTTP CONNECT"),
            Cause::Closed => unreachable()
                .cause(format!(
                    "the server closed the connection {} {}",
                    if error.stage == Stage::Http2 { "while" } else { "during" },
                    doing(error.stage)
                ))
                .hint("check the server's log, and that the port is the one for gRPC"),
            Cause::Tls(error) => Self::handshake(&server, error),
            Cause::ClientCertificate => Self::new(
                Kind::Tls,
                TLS,
                format!("{server} asked for a client certificate and then hung up"),
            )
            .cause("it demands one, or does not trust the one it got")
            .hint("--cert PEM --key PEM with a certificate that the server trusts"),
            Cause::WantsTls => Self::new(Kind::Tls, TLS, format!("{server} speaks TLS"))
                .cause("it hung up on plaintext")
                .hint("leave --plaintext out"),
            Cause::Alpn(protocol) => Self::no_http2(&server, protocol.as_deref()),
            Cause::NotHttp2(first) => not_http2(&server, first),
            Cause::Garbled(error) => unreachable()
                .cause(format!("what the server sent is not HTTP/2: {error}"))
                .hint("check the port, and what stands between here and the server"),
            Cause::GoneAway(reason) => unreachable()
                .cause(format!("before it began, {}", ended(*reason)))
                .hint("check the server's log, or run it again later"),
            Cause::Http2(error) => unreachable()
                .cause(error.to_string())
                .hint("check the server's log, and that the port is the one for gRPC"),
        }
    }

    /// A call without a response.
    pub(crate) fn call(server: &str, error: &CallError) -> Self {
        let failed = |code| Self::rpc(code, format!("{server}: the request failed"));
        match error {
            CallError::TimedOut(limit) => failed(Code::DeadlineExceeded)
                .own_cause(format!("no answer within {}", seconds(*limit)))
                .hint("--timeout waits longer; a smaller --batch-records asks for less at once"),
            CallError::Status { code, message, .. } => status(server, *code, message),
            CallError::Http(status) => failed(code_of_http(*status))
                .own_cause(format!("HTTP status {status} instead of a gRPC response"))
                .hint("a proxy or another server may answer at this address"),
            CallError::NotGrpc { content_type } => failed(Code::Unknown)
                .cause(format!(
                    "an HTTP response of type {content_type} instead of a gRPC response"
                ))
                .hint("a proxy or another server may answer at this address"),
            CallError::Malformed(reason) => failed(Code::Internal)
                .cause(format!("the response can't be decoded: {reason}"))
                .hint("the server's contract may be another: --proto, --protoset or --reflection takes it"),
            CallError::NoMessage => failed(Code::Unknown).own_cause("OK without a response message"),
            CallError::NoStatus => failed(Code::Unknown).own_cause("the response has no grpc-status"),
            CallError::UnknownStatus(found) => {
                failed(Code::Unknown).cause(format!("the response's grpc-status is none: {found}"))
            }
            CallError::Reset(reason) => failed(code_of_reset(*reason))
                .own_cause(format!(
                    "the server reset the request: {}",
                    reason.description()
                ))
                .hint("check the server's log, or run it again later"),
            CallError::GoneAway(reason) => failed(Code::Unavailable)
                .own_cause(ended(*reason))
                .hint("check the server's log, or run it again later"),
            CallError::Garbled(causes) => {
                let message = format!("{server}: the request failed");
                let mut failure = Self::new(Kind::Unreachable, UNREACHABLE, message)
                    .cause("what the server sent is not HTTP/2");
                failure.causes.extend(causes.iter().cloned());
                failure.hint("check the port, and what stands between here and the server")
            }
            CallError::Panicked => Self::new(
                Kind::Internal,
                OTHER,
                format!("{server}: the request failed by a defect of this program"),
            )
            .hint("please report it with what stands above; the other requests went on"),
            CallError::NotSent {
                announced: true, ..
            } => failed(Code::Unavailable)
                .own_cause(ended(h2::Reason::NO_ERROR))
                .hint("check the server's log, or run it again later"),
            CallError::NotSent { causes, .. } | CallError::Lost(causes) => {
                let mut failure = failed(Code::Unavailable).cause("the connection was lost");
                failure.causes.extend(causes.iter().cloned());
                failure.hint("check the server's log; run it again: an update that did arrive does no harm twice")
            }
        }
    }
}

impl Failure {
    /// The same after so many tries.
    pub(crate) fn after(self, tries: u32) -> Self {
        match tries {
            0 | 1 => self,
            tries => self.own_cause(format!("tried {tries} times")),
        }
    }

    /// The time for the whole run was over: in a request, or after what failed last.
    pub(crate) fn max_time(
        server: &str,
        limit: Duration,
        in_request: bool,
        last: Option<Self>,
    ) -> Self {
        let passed = format!("--max-time {} passed", seconds(limit));
        let failure = match last {
            _ if in_request => {
                let message = format!("{server}: {passed} before all was answered");
                let failure = Self::rpc(Code::DeadlineExceeded, message);
                match last {
                    Some(last) => failure.and(last),
                    None => failure,
                }
            }
            Some(last) => {
                let failure = Self::new(last.kind, last.exit_code, format!("{server}: {passed}"));
                failure.and(last)
            }
            None => Self::new(
                Kind::Unreachable,
                UNREACHABLE,
                format!("{server} could not be reached: {passed}"),
            ),
        };
        failure.hint("--max-time gives the run longer")
    }

    /// The same with a record that the server refused, by its masked token and its place.
    pub(crate) fn naming(
        self,
        token: &[u8],
        place: Option<(Arc<str>, Position)>,
        error: &CallError,
    ) -> Self {
        let why = reason(&Why::Rejected(error.clone()));
        let token = MaskedToken(token);
        let failure = self.cause(match place {
            Some((file, at)) => format!("{file}: {}: {token}: {why}", super::input::place(at)),
            None => format!("{token}: {why}"),
        });
        if error.is_about_size() {
            return failure
                .hint("the server takes no message as large as that record: ask whoever runs it");
        }
        failure
    }
}

/// How a call ended, in few words, none of them the server's.
pub(crate) fn short(error: &CallError) -> String {
    match error {
        CallError::Status { .. } if error.is_about_size() => "too large for the server".to_owned(),
        CallError::Status { code, .. } => name(*code).to_owned(),
        CallError::TimedOut(_) => "no answer in time".to_owned(),
        CallError::Http(status) => format!("HTTP status {status}"),
        CallError::Reset(_) => "the server reset the request".to_owned(),
        CallError::GoneAway(_) | CallError::NotSent { .. } | CallError::Lost(_) => {
            "the connection was lost".to_owned()
        }
        CallError::Panicked => "a defect of this program".to_owned(),
        CallError::NotGrpc { .. }
        | CallError::Malformed(_)
        | CallError::NoMessage
        | CallError::NoStatus
        | CallError::UnknownStatus(_)
        | CallError::Garbled(_) => "no answer that can be understood".to_owned(),
    }
}

/// Why a record was not acknowledged, in few words.
pub(crate) fn reason(why: &Why) -> String {
    match why {
        Why::Code(code) => format!("rejected: code {code}"),
        Why::Rejected(error) => format!("rejected: {}", short(error)),
        Why::Failed(error) => format!("unsent: {}", short(error)),
        Why::Ended => "unsent: the push ended before".to_owned(),
    }
}

fn status(server: &str, code: Code, message: &str) -> Failure {
    let name = name(code);
    let failure = Failure::rpc(code, format!("{server} answered {name}"));
    let failure = if message.is_empty() {
        failure
    } else {
        failure.cause(message)
    };
    match code {
        Code::Unavailable => failure.hint("run it again later"),
        Code::Unimplemented | Code::NotFound => {
            failure.hint("the server does not know this call: check the address; --proto, --protoset or --reflection takes its contract")
        }
        Code::DeadlineExceeded => failure.hint("--timeout gives the server longer"),
        Code::ResourceExhausted | Code::OutOfRange => {
            failure.hint("smaller --batch-records or --batch-bytes, or run it again later")
        }
        _ => failure,
    }
}

/// The names of the gRPC specification (doc/statuscodes.md).
pub(super) fn name(code: Code) -> &'static str {
    match code {
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

/// The gRPC specification's mapping of HTTP statuses (doc/http-grpc-status-mapping.md).
fn code_of_http(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// The gRPC specification's mapping of HTTP/2 errors (doc/PROTOCOL-HTTP2.md, "Errors").
fn code_of_reset(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}

/// What a connection's first bytes say when they are no HTTP/2.
fn not_http2(server: &str, first: &[u8]) -> Failure {
    let tls = |message: &str| Failure::new(Kind::Tls, TLS, message);
    match first {
        // A TLS alert or handshake record (RFC 8446 section 5.1), in answer to plaintext.
        [0x15 | 0x16, 3, ..] => tls(&format!("{server} speaks TLS"))
            .cause("plaintext was answered with a TLS record")
            .hint("leave --plaintext out"),
        _ if first.starts_with(b"HTTP/1.") => Failure::new(
            Kind::Unreachable,
            UNREACHABLE,
            format!("{server} speaks HTTP/1.1, not HTTP/2"),
        )
        .cause(format!(
            "it answered {:?}",
            String::from_utf8_lossy(first.split(|byte| *byte == b'\r').next().unwrap_or(first))
        ))
        .hint("check the port: gRPC needs HTTP/2"),
        _ => Failure::new(
            Kind::Unreachable,
            UNREACHABLE,
            format!("{server} does not speak HTTP/2"),
        )
        .cause(format!(
            "its first {} bytes are something else",
            first.len()
        ))
        .hint("check the port: gRPC needs HTTP/2"),
    }
}

/// A connection that the server ended (GOAWAY).
fn ended(reason: h2::Reason) -> String {
    match reason {
        h2::Reason::NO_ERROR => "the server ended the connection (GOAWAY)".to_owned(),
        reason => format!("the server ended the connection: {}", reason.description()),
    }
}

fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "the look-up of the name",
        Stage::Tcp => "the TCP connection",
        Stage::Proxy => "the proxy's answer to CONNECT",
        Stage::Tls => "TLS handshake",
        Stage::Http2 => "waiting for the server's HTTP/2 SETTINGS",
    }
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::Signal;

    #[test]
    fn tokens_are_looked_for_where_others_are_quoted_and_only_there() {
        let in_own_words = [
            CallError::TimedOut(Duration::from_secs(1)),
            CallError::Http(502),
            CallError::Reset(h2::Reason::CANCEL),
            CallError::GoneAway(h2::Reason::NO_ERROR),
        ];
        for error in in_own_words {
            let failure = Failure::call("server", &error).after(3);
            let failure = Failure::partial(1, 2, failure);
            let masked = failure.clone().masked(|_| panic!("looked for: {error:?}"));
            assert_eq!(masked, failure);
        }
        for error in [
            CallError::Lost(vec!["words".to_owned()]),
            CallError::Malformed("words".to_owned()),
            CallError::Garbled(vec!["words".to_owned()]),
        ] {
            let failure = Failure::call("server", &error).after(3);
            let failure = Failure::interrupted(Signal::Interrupt, 1, Some(failure));
            let looked_for = failure.masked(|_| false);
            assert_eq!(looked_for.causes, ["(not shown: it may hold tokens)"]);
        }
    }
}
