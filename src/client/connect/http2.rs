//! The start of an HTTP/2 connection: the client preface and the server's SETTINGS.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tonic::body::Body;

use super::{byte_stream::ByteStream, error::ConnectErrorKind, server_preface::PrefaceObserver};
use crate::client::{connection_status::ConnectionStatus, transport_error};

/// The receive window in bytes, which limits the memory for unread response data. A small window
/// suffices, because the responses of a license server are only a few bytes long.
const RECEIVE_WINDOW_BYTES: u32 = 256 << 10;

/// The maximum length of the response headers in bytes. Some servers put a long error report into
/// `grpc-message`, which would exceed hyper's default of 16 KiB.
const MAX_HEADER_LIST_BYTES: u32 = 2 << 20;

/// The time after which an unanswered PING ends the connection: the default of gRPC
/// (doc/keepalive.md, `GRPC_ARG_KEEPALIVE_TIMEOUT_MS`).
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(in crate::client) struct Http2Connection {
    pub(in crate::client) sender: http2::SendRequest<Body>,
    pub(in crate::client) driver: JoinHandle<()>,
    /// The server's `SETTINGS_MAX_CONCURRENT_STREAMS`, or `None` for no limit.
    pub(in crate::client) max_streams: Option<u32>,
    pub(in crate::client) status: ConnectionStatus,
}

pub(super) async fn handshake(
    stream: ByteStream,
    keepalive_interval: Option<Duration>,
) -> Result<Http2Connection, ConnectErrorKind> {
    let has_goaway = Arc::<AtomicBool>::default();
    let (reader, writer) = tokio::io::split(stream);
    let (reader, preface) = PrefaceObserver::new(reader, Arc::clone(&has_goaway));
    let stream = tokio::io::join(reader, writer);
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(RECEIVE_WINDOW_BYTES)
        .initial_connection_window_size(RECEIVE_WINDOW_BYTES)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .keep_alive_interval(keepalive_interval)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ConnectErrorKind::from_hyper(&error))?;
    let (result_sender, result_receiver) = oneshot::channel();
    let (close_sender, close_reason) = watch::channel(None);
    let driver = tokio::spawn(async move {
        let result = connection.await;
        close_sender.send_replace(match &result {
            Ok(()) => None,
            Err(error) => transport_error::classify(error),
        });
        // `handshake` needs the result only while it waits for the preface. Afterwards, the
        // receiver is gone and sending the result fails, but calls can read the close reason.
        let _ = result_sender.send(result);
    });
    match preface.await {
        Ok(Ok(settings)) => Ok(Http2Connection {
            sender,
            driver,
            max_streams: settings.max_streams,
            status: ConnectionStatus {
                close_reason,
                has_goaway,
            },
        }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(match result_receiver.await {
            Ok(Err(error)) => ConnectErrorKind::from_hyper(&error),
            Ok(Ok(())) | Err(_) => ConnectErrorKind::Closed,
        }),
    }
}
