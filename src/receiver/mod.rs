//! The reference receiver: the contract's server, for rehearsals and tests.

mod accept;
mod open;
mod store;

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustls::ServerConfig;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status, codec::CompressionEncoding, transport::Server};

pub(crate) use accept::Listener;
use open::Open;
pub(crate) use store::Store;

use crate::contract::proto::{
    FILE_DESCRIPTOR_SET, SensorExpireTimeRequest, SensorExpireTimeResponse,
    internal_server::{Internal, InternalServer},
};

/// How the receiver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behavior {
    /// The response's code. Records are stored whatever it is: which codes mean success is the
    /// client's to say.
    pub(crate) code: i32,
    /// So many requests are answered with UNAVAILABLE first.
    pub(crate) fail_first: u64,
    /// Before each answer.
    pub(crate) delay: Duration,
    /// The largest request message, in bytes.
    pub(crate) max_message_size: usize,
}

/// What the receiver has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Totals {
    /// Requests that were read, answered well or not.
    pub(crate) requests: u64,
    /// Records that were stored.
    pub(crate) records: u64,
    /// Different tokens in the store.
    pub(crate) tokens: u64,
}

/// Windows wide enough that a client with several requests in flight does not wait for updates.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// How long the last response may take to get out when the receiver ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Service {
    store: Arc<Store>,
    behavior: Behavior,
    requests: Arc<AtomicU64>,
    records: Arc<AtomicU64>,
}

#[tonic::async_trait]
impl Internal for Service {
    async fn update_sensor_expire_time(
        &self,
        request: Request<SensorExpireTimeRequest>,
    ) -> Result<Response<SensorExpireTimeResponse>, Status> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if !self.behavior.delay.is_zero() {
            tokio::time::sleep(self.behavior.delay).await;
        }
        if number < self.behavior.fail_first {
            return Err(Status::unavailable("told to fail at first"));
        }
        let store = Arc::clone(&self.store);
        let records = request.into_inner().sensor_expire;
        let count = records.len() as u64;
        let code = self.behavior.code;
        // A client that goes away must not leave a request half stored: what runs here runs on.
        tokio::task::spawn_blocking(move || store.apply(records))
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| Status::internal(format!("not stored: {error}")))?;
        self.records.fetch_add(count, Ordering::Relaxed);
        Ok(Response::new(SensorExpireTimeResponse { code }))
    }
}

/// Serves until `shutdown` comes, then finishes open requests.
///
/// # Errors
///
/// The server can't start, or the store can't be counted.
pub(crate) async fn run(
    listener: Listener,
    tls: Option<Arc<ServerConfig>>,
    store: Arc<Store>,
    behavior: Behavior,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Totals> {
    let requests = Arc::<AtomicU64>::default();
    let records = Arc::<AtomicU64>::default();
    let service = InternalServer::new(Service {
        store: Arc::clone(&store),
        behavior,
        requests: Arc::clone(&requests),
        records: Arc::clone(&records),
    })
    .max_decoding_message_size(behavior.max_message_size)
    .accept_compressed(CompressionEncoding::Gzip);

    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter
        .set_serving::<InternalServer<Service>>()
        .await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let open = Open::new();
    let (stopping, stopped) = oneshot::channel();
    let shutdown = async {
        shutdown.await;
        // Told too late when the server has ended by itself.
        let _ = stopping.send(());
    };
    let server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .add_service(open.count(service))
        .add_service(health)
        .add_service(reflection().build_v1().map_err(io::Error::other)?)
        // What older clients ask for.
        .add_service(reflection().build_v1alpha().map_err(io::Error::other)?)
        .serve_with_incoming_shutdown(accept::incoming(listener, tls), shutdown);
    // The server waits for its connections, and a client that says nothing never ends its own.
    let quiet = async {
        match stopped.await {
            Ok(()) => open.quiet_for(LAST_WORDS).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        served = server => served.map_err(io::Error::other)?,
        () = quiet => {}
    }
    Ok(Totals {
        requests: requests.load(Ordering::Relaxed),
        records: records.load(Ordering::Relaxed),
        tokens: store.len().map_err(io::Error::other)?,
    })
}
