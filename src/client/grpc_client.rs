//! [`Client`]: a connection to a license server, and the gRPC calls on that connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::Stream;
use tonic::{client::Grpc, codec::CompressionEncoding};

use super::{
    connect::{ConnectError, Http2Connection, StageSuccess, connect},
    error::CallError,
    server_text::safe_text,
    target::Target,
    transport::Transport,
    transport_error::classify_unready,
};
use crate::contract::Contract;

/// A connection on which calls can be made. Dropping the client closes the connection.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Http2Connection,
    /// One permit for each stream that the server allows at the same time. A call reserves its
    /// permit before its timeout starts. Without a permit, a call would wait for a stream inside
    /// the HTTP/2 library, and the wait would use up the timeout.
    free_streams: Arc<Semaphore>,
    pub(super) target: Arc<Target>,
    contract: Contract,
}

/// The server's reaction to a call on which no message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenCallResult {
    /// The server accepted the call and waits for the message.
    AwaitsMessage,
    /// The server responded without waiting for the message. `code` is the code in the response.
    Answered { code: i32 },
}

impl Client {
    /// Connects to a server, and reports the outcome of each completed stage to `on_stage`.
    pub(crate) async fn connect(
        target: &Target,
        contract: &Contract,
        on_stage: &dyn Fn(StageSuccess),
    ) -> Result<Self, ConnectError> {
        let connection = connect(target, on_stage).await?;
        // If the server allows no stream, a semaphore without permits would block every call
        // forever. With one permit, a call waits inside the HTTP/2 library instead, and the timeout
        // of the call ends the wait.
        let max_streams = connection.max_streams.unwrap_or(u32::MAX).max(1);
        let max_streams = usize::try_from(max_streams).unwrap_or(usize::MAX);
        Ok(Self {
            connection,
            free_streams: Arc::new(Semaphore::new(max_streams.min(Semaphore::MAX_PERMITS))),
            target: Arc::new(target.clone()),
            contract: contract.clone(),
        })
    }

    /// Waits until the server allows one more stream. The stream stays reserved until the permit is
    /// dropped.
    pub(crate) async fn reserve_stream(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so the result is never `None`.
        Arc::clone(&self.free_streams).acquire_owned().await.ok()
    }

    /// Sends one request message and returns the code in the response. The server receives the
    /// timeout of the call as `grpc-timeout`.
    pub(crate) fn send(
        &self,
        message: Bytes,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static {
        let sent = message.clone();
        self.call_with_timeout(tokio_stream::once(message), sent, self.target.timeout)
    }

    /// Opens the call and sends no message, so the server cannot apply anything. A server that does
    /// not implement the method, or does not allow this client to call it, ends the call with an
    /// error. Any other server waits for the message.
    pub(crate) async fn open_without_message(
        &self,
        timeout: Duration,
    ) -> Result<OpenCallResult, CallError> {
        let call = self.call_with_timeout(tokio_stream::pending(), Bytes::new(), timeout);
        match call.await {
            Ok(code) => Ok(OpenCallResult::Answered { code }),
            Err(CallError::TimedOut(_)) => Ok(OpenCallResult::AwaitsMessage),
            Err(error) => Err(error),
        }
    }

    /// Makes a call. `sent` is the request message, whose tokens are masked in the error.
    fn call_with_timeout<S>(
        &self,
        messages: S,
        sent: Bytes,
        timeout: Duration,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let transport = self.transport();
        let contract = self.contract.clone();
        let target = Arc::clone(&self.target);
        let status = self.connection.status.clone();
        async move {
            let started = Instant::now();
            let call = call(&contract, transport, messages);
            let error = match tokio::time::timeout(timeout, call).await {
                Ok(Ok(code)) => return Ok(code),
                Ok(Err(error)) => error,
                Err(_) => return Err(CallError::TimedOut(timeout)),
            };
            let mut error = status.refine_error(error).await;
            if let Some(text) = error.server_text_mut() {
                let tokens = contract.decode_records(&sent).map(|record| record.token);
                *text = safe_text(text, &target.metadata, tokens);
            }
            Err(error.into_timeout_if_late(started.elapsed(), timeout))
        }
    }

    /// Returns the HTTP service that tonic makes one call with.
    pub(super) fn transport(&self) -> Transport {
        Transport {
            sender: self.connection.sender.clone(),
            observer: Arc::default(),
            target: Arc::clone(&self.target),
        }
    }

    /// Replaces the error of a call without tokens by the reason why the connection ended, if the
    /// connection has ended.
    pub(super) async fn refine_error(&self, error: CallError) -> CallError {
        let mut error = self.connection.status.clone().refine_error(error).await;
        if let Some(text) = error.server_text_mut() {
            *text = self.safe_text(text);
        }
        error
    }

    /// Returns text of the server, which has seen no token, as it may be shown.
    pub(super) fn safe_text(&self, text: &str) -> String {
        safe_text(text, &self.target.metadata, std::iter::empty())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.driver.abort();
    }
}

/// Calls the method of the contract. The caller must end the call when the timeout passes, because
/// this function only sends the timeout to the server.
async fn call<S>(contract: &Contract, transport: Transport, messages: S) -> Result<i32, CallError>
where
    S: Stream<Item = Bytes> + Send + 'static,
{
    let target = Arc::clone(&transport.target);
    let mut request = tonic::Request::new(messages);
    request.set_timeout(target.timeout);
    let observer = Arc::clone(&transport.observer);
    let mut grpc = Grpc::with_origin(transport, target.origin());
    if target.sends_gzip {
        grpc = grpc.send_compressed(CompressionEncoding::Gzip);
    }
    grpc.ready()
        .await
        .map_err(|error| classify_unready(&*error))?;
    let response = grpc
        .client_streaming(request, contract.path.clone(), contract.codec())
        .await;
    match response {
        Ok(response) => observer.verify_success(response.into_inner()),
        Err(status) => Err(observer.classify_failure(&status)),
    }
}
