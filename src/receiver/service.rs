//! The gRPC service of the receiver: stores the records of each request, and simulates the delays
//! and failures that the options of `serve` ask for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tonic::{Request, Response, Status, Streaming};

use super::store::Store;
use crate::{
    blocking_work::run_in_thread,
    contract::proto::{
        SensorExpireTimeRequest, SensorExpireTimeResponse, internal_server::Internal,
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behavior {
    /// The code of each response. The receiver stores the records whatever the code is, because the
    /// client decides which codes mean success.
    pub(crate) code: i32,
    /// The number of requests, from the first request on, that are answered with `UNAVAILABLE`.
    pub(crate) fail_first: u64,
    pub(crate) delay: Duration,
    /// The maximum size of a request message, in bytes.
    pub(crate) max_message_size: usize,
}

#[derive(Debug)]
pub(super) struct ReceiverService {
    pub(super) store: Arc<Store>,
    pub(super) behavior: Behavior,
    pub(super) counters: Arc<Counters>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) records: AtomicU64,
}

#[tonic::async_trait]
impl Internal for ReceiverService {
    async fn update_sensor_expire_time(
        &self,
        request: Request<Streaming<SensorExpireTimeRequest>>,
    ) -> Result<Response<SensorExpireTimeResponse>, Status> {
        // `_open_request` counts this request as open until the end of this function.
        let (_metadata, _open_request, mut messages) = request.into_parts();
        // `build.rs` declares the method as client-streaming, so that this code sees each message.
        let message = messages.message().await?;
        let (Some(message), None) = (message, messages.message().await?) else {
            // The status is from the gRPC document statuscodes.md, "Request cardinality violation".
            return Err(Status::unimplemented(
                "expected exactly one request message",
            ));
        };
        let earlier_requests = self.counters.requests.fetch_add(1, Ordering::Relaxed);
        if !self.behavior.delay.is_zero() {
            tokio::time::sleep(self.behavior.delay).await;
        }
        if earlier_requests < self.behavior.fail_first {
            return Err(Status::unavailable("simulated failure (--fail-first)"));
        }
        let store = Arc::clone(&self.store);
        let records = message.sensor_expire;
        let count = records.len() as u64;
        let code = self.behavior.code;
        // The thread runs to its end even if the client closes the connection. Therefore no request
        // is stored in part.
        run_in_thread(move || store.insert(records))
            .map_err(|error| Status::unavailable(format!("cannot start a thread: {error}")))?
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| Status::internal(format!("cannot store the records: {error}")))?;
        self.counters.records.fetch_add(count, Ordering::Relaxed);
        Ok(Response::new(SensorExpireTimeResponse { code }))
    }
}
