//! Failures to connect to a server: the kind and the hint for each error. TLS handshake failures are
//! in [`super::tls`].

use http::StatusCode;

use super::{failure::Failure, tls::handshake_failed};
use crate::{
    client::{CallError, ConnectError, ConnectErrorKind, Stage},
    endpoint::Endpoint,
};

const CHECK_NAME: &str = "check the name and the DNS resolver";
const CHECK_PROXY: &str = "check the proxy's address: it must be an HTTP proxy that allows CONNECT";

pub(super) const RAISE_FILE_LIMIT: &str = "raise the limit of open files (ulimit -n)";
const CHECK_PROXY_OR_TIMEOUT: &str = "check the proxy, or increase --connect-timeout";

pub(crate) fn connection_failed(error: &ConnectError) -> Failure {
    let hint = match &error.kind {
        ConnectErrorKind::Tls(kind) => {
            let server = error.endpoint.to_string();
            return handshake_failed(&server, kind, error.has_client_certificate);
        }
        ConnectErrorKind::ServerExpectsTls => {
            return Failure::tls(error.to_string())
                .with_hint("remove --plaintext, or pass --plaintext=false if it is not on the command line")
                .with_options(&["--plaintext=false"]);
        }
        ConnectErrorKind::TimedOut(_) => match error.stage {
            Stage::Dns => CHECK_NAME,
            Stage::Tcp if error.proxy.is_some() => CHECK_PROXY_OR_TIMEOUT,
            Stage::Tcp => {
                "check the address, the port and firewalls, or increase --connect-timeout"
            }
            Stage::Proxy => CHECK_PROXY_OR_TIMEOUT,
            Stage::Tls | Stage::Http2 => "check the server, or increase --connect-timeout",
        },
        ConnectErrorKind::NoThread(_) => "raise the limit of processes and threads (ulimit -u)",
        kind if kind.is_file_limit() => RAISE_FILE_LIMIT,
        ConnectErrorKind::NoAddress => CHECK_NAME,
        ConnectErrorKind::Io(_) if error.stage == Stage::Dns => CHECK_NAME,
        ConnectErrorKind::Io(_) | ConnectErrorKind::AllAddressesFailed(_) => {
            match (error.stage, &error.endpoint) {
                (Stage::Tcp, Endpoint::Unix(_)) => {
                    "check that the server runs, and the path of its socket"
                }
                (Stage::Tcp | Stage::Proxy, _) if error.proxy.is_some() => {
                    "check that the proxy runs, and its address and port"
                }
                _ => "check that the server runs, and its address and port",
            }
        }
        ConnectErrorKind::ProxyRefused(StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
            "pass other credentials with --proxy http://USER:PASSWORD@HOST:PORT"
        }
        ConnectErrorKind::ProxyRefused(StatusCode::FORBIDDEN) => {
            "ask the proxy's operator to allow the server, or bypass the proxy with NO_PROXY"
        }
        ConnectErrorKind::ProxyRefused(StatusCode::TOO_MANY_REQUESTS) => {
            "run the command again later"
        }
        ConnectErrorKind::ProxyRefused(
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::INTERNAL_SERVER_ERROR,
        ) => "check that the proxy can reach the server, or bypass the proxy with NO_PROXY",
        ConnectErrorKind::ProxyRefused(_)
        | ConnectErrorKind::ProxyNotHttp
        | ConnectErrorKind::ProxyClosed => CHECK_PROXY,
        ConnectErrorKind::Http1 { .. }
        | ConnectErrorKind::NotHttp2
        | ConnectErrorKind::Http2(CallError::ProtocolError(_)) => {
            "check the port: gRPC needs HTTP/2"
        }
        ConnectErrorKind::Http2(CallError::GoAway { .. }) => {
            "check the server's log, or run the command again later"
        }
        ConnectErrorKind::Closed | ConnectErrorKind::Http2(_) => {
            "check the server's log, and that the port is the one for gRPC"
        }
    };
    Failure::unreachable(error.to_string()).with_hint(hint)
}
