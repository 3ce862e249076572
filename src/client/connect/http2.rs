//! The start of an HTTP/2 connection: the client preface and the server's SETTINGS.

use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    byte_stream::ByteStream,
    error::ConnectErrorKind,
    server_bytes::{Received, ServerBytes},
};
use crate::client::{
    close_reason::CloseReason, error::CallError, request::RequestBody, transport_error::classify,
};

/// The receive window of a stream in bytes, which limits the memory for unread response data. A
/// small window suffices, because the responses of a license server are only a few bytes long.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;

/// The receive window of the connection in bytes. `h2` ends a connection with too many unread small
/// DATA frames: each counts as 256 bytes minus its length, and their sum is at most half of this
/// window. The size allows 1,000 responses with four frames each.
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;

/// The maximum length of the response headers in bytes. Some servers put a long error report into
/// `grpc-message`, which would exceed hyper's default of 16 KiB.
const MAX_HEADER_LIST_BYTES: u32 = 2 << 20;

/// The time after which an unanswered PING ends the connection: the default of gRPC
/// (doc/keepalive.md, `GRPC_ARG_KEEPALIVE_TIMEOUT_MS`).
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// The limit on streams before SETTINGS arrives. The limit that SETTINGS sets is a 32-bit number or
/// `usize::MAX`, so a different limit shows that SETTINGS has arrived.
const MAX_STREAMS_BEFORE_SETTINGS: usize = usize::MAX - 1;

/// The end of a connection without an error.
const GRACEFUL_GOAWAY: CallError = CallError::GoAway {
    reason: h2::Reason::NO_ERROR,
    is_outcome_unknown: false,
};

#[derive(Debug)]
pub(in crate::client) struct Http2Connection {
    pub(in crate::client) sender: http2::SendRequest<RequestBody>,
    pub(in crate::client) driver: JoinHandle<()>,
    /// The server's `SETTINGS_MAX_CONCURRENT_STREAMS`, or `usize::MAX` for no limit.
    pub(in crate::client) max_streams: usize,
    pub(in crate::client) close_reason: CloseReason,
}

pub(super) async fn handshake(
    stream: ByteStream,
    keepalive_interval: Option<Duration>,
) -> Result<Http2Connection, ConnectErrorKind> {
    let (sender, mut received) = watch::channel(Received::default());
    let (stream, writer) = tokio::io::split(stream);
    let reader = ServerBytes {
        stream,
        received: sender,
    };
    let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_max_send_streams(MAX_STREAMS_BEFORE_SETTINGS)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .keep_alive_interval(keepalive_interval)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .handshake(TokioIo::new(tokio::io::join(reader, writer)))
        .await
        .map_err(|error| ConnectErrorKind::from_hyper(&error))?;
    while connection.current_max_send_streams() == MAX_STREAMS_BEFORE_SETTINGS {
        tokio::select! {
            // SETTINGS counts even if the connection ended right after it. The runtime has one thread,
            // so the HTTP/2 library has parsed the bytes when this task wakes.
            biased;
            Ok(()) = received.changed() => {}
            result = &mut connection => return Err(match result {
                // The server sent GOAWAY without an error. Any other end is an error.
                Ok(()) => ConnectErrorKind::Http2(GRACEFUL_GOAWAY),
                Err(error) => ConnectErrorKind::from_hyper(&error).refine(&received.borrow()),
            }),
        }
    }
    let max_streams = connection.current_max_send_streams();
    let (close_sender, close_reason) = watch::channel(None);
    let driver = tokio::spawn(async move {
        close_sender.send_replace(Some(match connection.await {
            Ok(()) => GRACEFUL_GOAWAY,
            Err(error) => classify(&error),
        }));
    });
    Ok(Http2Connection {
        sender,
        driver,
        max_streams,
        close_reason,
    })
}
