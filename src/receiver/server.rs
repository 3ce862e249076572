//! Runs the server of the receiver, from its start to its shutdown.

use std::{
    future::Future,
    io,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::{oneshot, watch};
use tonic::{
    Request, codec::CompressionEncoding, service::interceptor::InterceptedService,
    transport::Server,
};
use tonic_health::pb::health_server::HealthServer;

use super::{
    accept::{FailedHandshake, Listener, accept_connections},
    health::ReceiverHealth,
    service::{Behavior, Counters, ReceiverService},
    store::Store,
};
use crate::{
    contract::proto::{FILE_DESCRIPTOR_SET, internal_server::InternalServer},
    tls::ServerTls,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Totals {
    /// Requests that were decoded, whatever the response.
    pub(crate) requests: u64,
    /// Records that were stored.
    pub(crate) records: u64,
    /// Distinct tokens in the store.
    pub(crate) tokens: u64,
}

// HTTP/2 flow-control windows in bytes. They are so large that a client with several requests in
// flight does not wait for window updates.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The maximum time to wait until the last response has reached the client.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The HTTP library panics if it writes a `date` header before 1970.
pub(crate) fn check_clock() -> io::Result<()> {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(_) => Ok(()),
        Err(_) => Err(io::Error::other("the clock of this machine is before 1970")),
    }
}

/// Serves until `shutdown` completes, then finishes the open requests.
pub(crate) async fn run(
    listener: Listener,
    tls: Option<ServerTls>,
    store: Arc<Store>,
    behavior: Behavior,
    shutdown: impl Future<Output = ()>,
    on_failed_handshake: impl Fn(FailedHandshake) + Clone + Send + 'static,
) -> io::Result<Totals> {
    let counters = Arc::<Counters>::default();
    let service = InternalServer::new(ReceiverService {
        store: Arc::clone(&store),
        behavior,
        counters: Arc::clone(&counters),
    })
    .max_decoding_message_size(behavior.max_message_size)
    .accept_compressed(CompressionEncoding::Gzip);

    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Each request holds a receiver of this channel, in its extensions, until its response is ready.
    let open_requests = Arc::new(watch::Sender::new(()));
    let service = InterceptedService::new(service, {
        let open_requests = Arc::clone(&open_requests);
        move |mut request: Request<()>| {
            request.extensions_mut().insert(open_requests.subscribe());
            Ok(request)
        }
    });
    let (stopping, stopped) = oneshot::channel();
    let shutdown = async {
        shutdown.await;
        // Sending fails if the server has already ended.
        let _ = stopping.send(());
    };
    let server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .add_service(service)
        .add_service(HealthServer::new(ReceiverHealth))
        .add_service(reflection().build_v1().map_err(io::Error::other)?)
        // Older clients use the alpha version of reflection.
        .add_service(reflection().build_v1alpha().map_err(io::Error::other)?)
        .serve_with_incoming_shutdown(
            accept_connections(listener, tls, on_failed_handshake),
            shutdown,
        );
    // A graceful shutdown waits for all connections, but a stalled client may never close its
    // connection. Therefore the server also ends when no request is open.
    let drained = async {
        match stopped.await {
            Ok(()) => wait_until_idle(&open_requests).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        served = server => served.map_err(io::Error::other)?,
        () = drained => {}
    }
    Ok(Totals {
        requests: counters.requests.load(Ordering::Relaxed),
        records: counters.records.load(Ordering::Relaxed),
        tokens: store.token_count().map_err(io::Error::other)?,
    })
}

async fn wait_until_idle(open_requests: &watch::Sender<()>) {
    loop {
        open_requests.closed().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
        if open_requests.is_closed() {
            return;
        }
    }
}
