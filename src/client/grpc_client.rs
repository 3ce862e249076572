//! [`Client`]: a connection to a license server, and the gRPC calls on that connection.

use std::{
    iter,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    close_reason::refine_error,
    connect::{ConnectError, Http2Connection, LastAddress, StageSuccess, connect},
    error::CallError,
    request::{RequestBody, new_request},
    response::{malformed, read_message},
    server_text::safe_text,
    target::Target,
    transport_error::classify,
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
    pub(crate) async fn connect(
        target: &Target,
        contract: &Contract,
        last_address: &LastAddress,
        on_stage: &dyn Fn(StageSuccess),
    ) -> Result<Self, ConnectError> {
        let connection = connect(target, last_address, on_stage).await?;
        // If the server allows no stream, a semaphore without permits would block every call
        // forever. With one permit, a call waits inside the HTTP/2 library instead, and the timeout
        // of the call ends the wait.
        let max_streams = connection.max_streams.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            connection,
            free_streams: Arc::new(Semaphore::new(max_streams)),
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
        let body = RequestBody::new(message.clone(), self.target.sends_gzip);
        self.call_with_timeout(body, message, self.target.timeout)
    }

    /// Opens the call and sends no message, so the server cannot apply anything. A server that does
    /// not implement the method, or does not allow this client to call it, ends the call with an
    /// error. Any other server waits for the message.
    pub(crate) async fn open_without_message(
        &self,
        timeout: Duration,
    ) -> Result<OpenCallResult, CallError> {
        let call = self.call_with_timeout(RequestBody::Pending, Bytes::new(), timeout);
        match call.await {
            Ok(code) => Ok(OpenCallResult::Answered { code }),
            Err(CallError::TimedOut(_)) => Ok(OpenCallResult::AwaitsMessage),
            Err(error) => Err(error),
        }
    }

    /// Calls the method of the contract. `sent` is the request message, whose tokens are masked in
    /// the error.
    fn call_with_timeout(
        &self,
        body: RequestBody,
        sent: Bytes,
        timeout: Duration,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static {
        let contract = self.contract.clone();
        let target = Arc::clone(&self.target);
        let call = self.call(contract.path.clone(), body);
        async move {
            let started = Instant::now();
            let response = tokio::time::timeout(timeout, call).await;
            response
                .unwrap_or(Err(CallError::TimedOut(timeout)))
                .and_then(|message| contract.decode_code(message).map_err(malformed))
                .map_err(|error| {
                    let tokens = contract.decode_records(&sent).map(|record| record.token);
                    error
                        .with_safe_text(&target.metadata, tokens)
                        .into_timeout_if_late(started.elapsed(), timeout)
                })
        }
    }

    /// Makes a call on which no token is sent.
    pub(super) async fn query<Q, A>(&self, path: &'static str, query: &Q) -> Result<A, CallError>
    where
        Q: Message,
        A: Message + Default,
    {
        let body = RequestBody::new(query.encode_to_vec().into(), self.target.sends_gzip);
        let response = self.call(PathAndQuery::from_static(path), body).await;
        response
            .and_then(|message| A::decode(message).map_err(malformed))
            .map_err(|error| error.with_safe_text(&self.target.metadata, iter::empty()))
    }

    /// Makes a call and returns the message in the response. The caller must end the call when the
    /// timeout passes, because this function only sends the timeout to the server.
    fn call(
        &self,
        path: PathAndQuery,
        body: RequestBody,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send + 'static {
        let mut sender = self.connection.sender.clone();
        let close_reason = self.connection.close_reason.clone();
        let request = new_request(&self.target, path, body);
        async move {
            let message = match sender.send_request(request).await {
                Ok(response) => read_message(response).await,
                Err(error) => Err(classify(&error)),
            };
            match message {
                Ok(message) => Ok(message),
                Err(error) => Err(refine_error(error, close_reason).await),
            }
        }
    }

    /// Returns text of the server, which has seen no token, as it may be shown.
    pub(super) fn safe_text(&self, text: &str) -> String {
        safe_text(text, &self.target.metadata, iter::empty())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.driver.abort();
    }
}
