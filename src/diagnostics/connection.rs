//! Failures to connect to a server: DNS lookup, TCP, proxy and HTTP/2. TLS handshake failures are
//! in [`super::tls`].

use std::time::Duration;

use http::StatusCode;

use super::{
    call::describe_goaway, failure::Failure, format::format_duration, tls::handshake_failed,
};
use crate::client::{ConnectError, ConnectErrorKind, Stage};

const CHECK_SERVER: &str = "check that the server runs, and its address and port";
const CHECK_LOG_AND_PORT: &str = "check the server's log, and that the port is the one for gRPC";
const CHECK_GRPC_PORT: &str = "check the port: gRPC needs HTTP/2";

/// Returns the failure for a connection that could not be established.
pub(crate) fn connection_failed(error: &ConnectError) -> Failure {
    let server = error.endpoint.to_string();
    let through_proxy = match &error.proxy {
        Some(proxy) => format!(" through the proxy {proxy}"),
        None => String::new(),
    };
    let unreachable =
        || Failure::unreachable(format!("{server} could not be reached{through_proxy}"));
    match &error.kind {
        ConnectErrorKind::TimedOut(timeout) => {
            stage_timed_out(unreachable(), error.stage, *timeout)
        }
        ConnectErrorKind::NoAddress => unreachable()
            .with_cause("its name has no address")
            .with_hint("check the name"),
        ConnectErrorKind::Io(io_error) if error.stage == Stage::Dns => unreachable()
            .with_cause(format!("its name can't be looked up: {io_error}"))
            .with_hint("check the name and the resolver"),
        ConnectErrorKind::AllAddressesFailed(failures) => failures
            .iter()
            .map(|failed| format!("{}: {}", failed.address, failed.error))
            .fold(unreachable(), Failure::with_cause)
            .with_hint(CHECK_SERVER),
        ConnectErrorKind::Io(io_error) => unreachable()
            .with_cause(format!("{} failed: {io_error}", stage_name(error.stage)))
            .with_hint(CHECK_SERVER),
        ConnectErrorKind::ProxyRefused(status) => proxy_refused(unreachable(), *status),
        ConnectErrorKind::ProxyNotHttp => unreachable()
            .with_cause("the proxy does not speak HTTP")
            .with_hint("check the proxy's address: it must take HTTP CONNECT"),
        ConnectErrorKind::Closed => connection_closed(unreachable(), error.stage),
        ConnectErrorKind::Tls(kind) => {
            handshake_failed(&server, kind, error.has_client_certificate)
        }
        ConnectErrorKind::ServerExpectsTls => Failure::tls(format!("{server} speaks TLS"))
            .with_cause("it hung up on plaintext")
            .with_hint("leave --plaintext out"),
        ConnectErrorKind::NotHttp2(first_bytes) => not_http2(&server, first_bytes),
        ConnectErrorKind::ProtocolError(error) => unreachable()
            .with_cause(format!("what the server sent is not HTTP/2: {error}"))
            .with_hint("check the port, and what stands between here and the server"),
        ConnectErrorKind::GoAway(reason) => unreachable()
            .with_cause(format!("before it began, {}", describe_goaway(*reason)))
            .with_hint("check the server's log, or run it again later"),
        ConnectErrorKind::Http2(error) => unreachable()
            .with_cause(error.to_string())
            .with_hint(CHECK_LOG_AND_PORT),
    }
}

fn stage_timed_out(failure: Failure, stage: Stage, timeout: Duration) -> Failure {
    let cause = format!(
        "{} timed out after {}",
        stage_name(stage),
        format_duration(timeout)
    );
    let hint = match stage {
        Stage::Dns => "check the name and the resolver",
        Stage::Tcp => "check the address, the port and firewalls; --connect-timeout waits longer",
        Stage::Proxy => {
            "the proxy takes connections but does not answer: check it; --connect-timeout waits longer"
        }
        Stage::Tls | Stage::Http2 => {
            "the server takes connections but does not answer: check it; --connect-timeout waits longer"
        }
    };
    failure.with_cause(cause).with_hint(hint)
}

fn proxy_refused(failure: Failure, status: StatusCode) -> Failure {
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return failure
            .with_cause("the proxy demands other credentials: HTTP status 407")
            .with_hint("--proxy http://USER:PASSWORD@HOST:PORT");
    }
    failure
        .with_cause(format!("the proxy refused: HTTP status {status}"))
        .with_hint("ask whoever runs the proxy whether it lets this server through; NO_PROXY goes without it")
}

fn connection_closed(failure: Failure, stage: Stage) -> Failure {
    let preposition = match stage {
        Stage::Proxy => {
            return failure
                .with_cause("the proxy closed the connection without an answer")
                .with_hint("check the proxy's address, and that it takes HTTP CONNECT");
        }
        Stage::Http2 => "while",
        Stage::Dns | Stage::Tcp | Stage::Tls => "during",
    };
    failure
        .with_cause(format!(
            "the server closed the connection {preposition} {}",
            stage_name(stage)
        ))
        .with_hint(CHECK_LOG_AND_PORT)
}

/// Returns the failure for a server whose first bytes are not an HTTP/2 frame.
fn not_http2(server: &str, first_bytes: &[u8]) -> Failure {
    match first_bytes {
        // The server responded to plaintext with a TLS record (RFC 8446 section 5.1). The first
        // byte is the content type: 0x15 for an alert, 0x16 for a handshake message. The second
        // byte, 3, is the major version.
        [0x15 | 0x16, 3, ..] => Failure::tls(format!("{server} speaks TLS"))
            .with_cause("plaintext was answered with a TLS record")
            .with_hint("leave --plaintext out"),
        _ if first_bytes.starts_with(b"HTTP/1.") => {
            let status_line = first_bytes.split(|byte| *byte == b'\r').next();
            let status_line = String::from_utf8_lossy(status_line.unwrap_or(first_bytes));
            Failure::unreachable(format!("{server} speaks HTTP/1.1, not HTTP/2"))
                .with_cause(format!("it answered {status_line:?}"))
                .with_hint(CHECK_GRPC_PORT)
        }
        _ => Failure::unreachable(format!("{server} does not speak HTTP/2"))
            .with_cause(format!(
                "its first {} bytes are something else",
                first_bytes.len()
            ))
            .with_hint(CHECK_GRPC_PORT),
    }
}

/// Returns the name of a stage, which can be the subject of a sentence.
fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Dns => "the look-up of the name",
        Stage::Tcp => "the TCP connection",
        Stage::Proxy => "the proxy's answer to CONNECT",
        Stage::Tls => "TLS handshake",
        Stage::Http2 => "waiting for the server's HTTP/2 SETTINGS",
    }
}
