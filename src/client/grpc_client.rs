//! [`Client`]: a connection to a license server, and the gRPC calls on that connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Uri};
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
use crate::{contract::Contract, metadata::Metadata};

/// A connection on which calls can be made. Dropping the client closes the connection.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Http2Connection,
    /// One permit for each stream that the server allows at the same time. A call reserves its
    /// permit before its timeout starts. Without a permit, a call would wait for a stream inside
    /// the HTTP/2 library, and the wait would use up the timeout.
    free_streams: Arc<Semaphore>,
    settings: Arc<CallSettings>,
}

/// The settings that all calls on a connection share.
#[derive(Debug)]
struct CallSettings {
    origin: Uri,
    timeout: Duration,
    user_agent: HeaderValue,
    metadata: Arc<Metadata>,
    sends_gzip: bool,
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
    ///
    /// # Errors
    ///
    /// A stage failed, or `connect_timeout` passed.
    pub(crate) async fn connect(
        target: &Target,
        contract: &Contract,
        on_stage: &dyn Fn(StageSuccess),
    ) -> Result<Self, ConnectError> {
        let connection = connect(target, on_stage).await?;
        // If the server allows no stream, a semaphore without permits would block every call
        // forever. With one permit, a call waits inside the HTTP/2 library instead, and the timeout
        // of the call ends the wait.
        let max_streams = connection
            .max_streams
            .map_or(u32::MAX, |limit| limit.max(1));
        let max_streams = usize::try_from(max_streams).unwrap_or(usize::MAX);
        Ok(Self {
            connection,
            free_streams: Arc::new(Semaphore::new(max_streams.min(Semaphore::MAX_PERMITS))),
            settings: Arc::new(CallSettings {
                origin: target.origin(),
                timeout: target.timeout,
                user_agent: target.user_agent.clone(),
                metadata: Arc::new(target.metadata.clone()),
                sends_gzip: target.sends_gzip,
                contract: contract.clone(),
            }),
        })
    }

    /// Waits until the server allows one more stream. The stream stays reserved until the permit is
    /// dropped.
    pub(crate) fn reserve_stream(
        &self,
    ) -> impl Future<Output = Option<OwnedSemaphorePermit>> + use<> {
        let free_streams = Arc::clone(&self.free_streams);
        // The semaphore is never closed, so the result is never `None`.
        async { free_streams.acquire_owned().await.ok() }
    }

    /// Sends one request message and returns the code in the response. The server receives the
    /// timeout of the call as `grpc-timeout`.
    ///
    /// # Errors
    ///
    /// The call failed, or the timeout of the call passed.
    pub(crate) fn send(
        &self,
        message: Bytes,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static {
        let sent = message.clone();
        self.call_with_timeout(tokio_stream::once(message), sent, self.settings.timeout)
    }

    /// Opens the call and sends no message, so the server cannot apply anything. A server that does
    /// not implement the method, or does not allow this client to call it, ends the call with an
    /// error. Any other server waits for the message.
    ///
    /// # Errors
    ///
    /// The call failed before `timeout` passed.
    pub(crate) async fn open_without_message(
        &self,
        timeout: Duration,
    ) -> Result<OpenCallResult, CallError> {
        let messages = tokio_stream::pending();
        match self
            .call_with_timeout(messages, Bytes::new(), timeout)
            .await
        {
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
        let settings = Arc::clone(&self.settings);
        let status = self.connection.status.clone();
        async move {
            let started = Instant::now();
            let call = call(&settings, transport, messages);
            match tokio::time::timeout(timeout, call).await {
                Ok(Err(error)) => {
                    let mut error = status.refine_error(error).await;
                    if let Some(text) = error.server_text_mut() {
                        let records = settings.contract.decode_records(&sent);
                        let tokens = records.map(|record| record.token);
                        *text = safe_text(text, &settings.metadata, tokens);
                    }
                    Err(error.into_timeout_if_late(started.elapsed(), timeout))
                }
                Ok(result) => result,
                Err(_) => Err(CallError::TimedOut(timeout)),
            }
        }
    }

    /// Returns the HTTP service that tonic makes one call with.
    pub(super) fn transport(&self) -> Transport {
        Transport {
            sender: self.connection.sender.clone(),
            observer: Arc::default(),
            user_agent: self.settings.user_agent.clone(),
            metadata: Arc::clone(&self.settings.metadata),
        }
    }

    /// Returns the URI that holds the scheme and the `:authority` of all calls.
    pub(super) fn origin(&self) -> Uri {
        self.settings.origin.clone()
    }

    /// Returns the timeout of one call.
    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
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
        safe_text(text, &self.settings.metadata, std::iter::empty())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.driver.abort();
    }
}

/// Calls the method of the contract. The caller must end the call when the timeout passes, because
/// this function only sends the timeout to the server.
async fn call<S>(
    settings: &CallSettings,
    transport: Transport,
    messages: S,
) -> Result<i32, CallError>
where
    S: Stream<Item = Bytes> + Send + 'static,
{
    let mut request = tonic::Request::new(messages);
    request.set_timeout(settings.timeout);
    let observer = Arc::clone(&transport.observer);
    let mut grpc = Grpc::with_origin(transport, settings.origin.clone());
    if settings.sends_gzip {
        grpc = grpc.send_compressed(CompressionEncoding::Gzip);
    }
    grpc.ready()
        .await
        .map_err(|error| classify_unready(&*error))?;
    let contract = &settings.contract;
    let response = grpc
        .client_streaming(request, contract.path.clone(), contract.codec())
        .await;
    match response {
        Ok(response) => observer.verify_success(response.into_inner()),
        Err(status) => Err(observer.classify_failure(&status)),
    }
}
