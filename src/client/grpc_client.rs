//! One connection to one server, and one call on it. No retry and no policy.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Uri};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::Stream;
use tonic::{client::Grpc, codec::CompressionEncoding};

use super::{
    connect::{self, ConnectError, Connected, Ended, Fate, StageOutcome},
    error::CallError,
    response::{Seen, Transport},
};
use crate::{
    contract::Contract, endpoint::Endpoint, metadata::Metadata, proxy::Proxy, tls::ClientTls,
};

/// How to reach a server.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    /// The HTTP/2 `:authority`.
    pub(crate) authority: http::uri::Authority,
    pub(crate) proxy: Option<Proxy>,
    /// `None` for plaintext.
    pub(crate) tls: Option<ClientTls>,
    /// From the look-up of the name to the server's HTTP/2 SETTINGS.
    pub(crate) connect_timeout: Duration,
    /// From the start of a call to its end.
    pub(crate) timeout: Duration,
    pub(crate) user_agent: HeaderValue,
    pub(crate) metadata: Metadata,
    /// Whether request messages are sent in gzip.
    pub(crate) sends_gzip: bool,
    /// How often an open request's connection is asked for a sign of life.
    pub(crate) keepalive_interval: Option<Duration>,
}

/// The server's reaction to a call without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenedCall {
    /// The server accepted the call and waits for the message.
    AwaitsMessage,
    /// The server responded without waiting for the message; `code` is the response's code.
    Answered { code: i32 },
}

/// How long the end of a connection may take to be known once a call has failed by it.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A connection on which the server speaks HTTP/2.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) connected: Connected,
    /// Room for open requests: what waits for it in the stack below would wait on its deadline.
    room: Arc<Semaphore>,
    pub(super) call: Arc<Call>,
}

/// What all calls on a connection have in common.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) origin: Uri,
    pub(super) timeout: Duration,
    user_agent: HeaderValue,
    metadata: Arc<Metadata>,
    sends_gzip: bool,
    contract: Contract,
}

impl Client {
    /// Connects; each stage's finding is handed to `watch`.
    ///
    /// # Errors
    ///
    /// The stage that failed, or that was under way when `connect_timeout` had passed.
    pub(crate) async fn connect(
        target: &Target,
        contract: &Contract,
        watch: &dyn Fn(StageOutcome),
    ) -> Result<Self, ConnectError> {
        let connected = connect::connect(target, watch).await?;
        // With none it would wait for ever for the server to change its mind.
        let room = connected.max_streams.map_or(u32::MAX, |most| most.max(1));
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        Ok(Self {
            connected,
            room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
            call: Arc::new(Call {
                origin: connect::origin(target),
                timeout: target.timeout,
                user_agent: target.user_agent.clone(),
                metadata: Arc::new(target.metadata.clone()),
                sends_gzip: target.sends_gzip,
                contract: contract.clone(),
            }),
        })
    }

    /// Sends one request message and returns the response's code.
    ///
    /// # Errors
    ///
    /// How the call ended. The deadline is the server's to keep (`grpc-timeout`) and is kept here
    /// too.
    pub(crate) fn send(
        &self,
        message: Bytes,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static {
        let timeout = self.call.timeout;
        self.call_within(tokio_stream::once(message), timeout)
    }

    /// Waits until another request may be open; what is held as long as it is.
    pub(crate) fn reserve_stream(
        &self,
    ) -> impl Future<Output = Option<OwnedSemaphorePermit>> + use<> {
        let room = Arc::clone(&self.room);
        // It is never closed.
        async { room.acquire_owned().await.ok() }
    }

    /// Opens the call and sends no message, so that nothing can be applied. A server that does not
    /// know the call, or would not take it from this client, says so; one that does waits.
    ///
    /// The response's code, if it did not even wait for the message.
    ///
    /// # Errors
    ///
    /// How the call ended within `timeout`.
    pub(crate) async fn open_without_message(
        &self,
        timeout: Duration,
    ) -> Result<OpenedCall, CallError> {
        match self.call_within(tokio_stream::pending(), timeout).await {
            Ok(code) => Ok(OpenedCall::Answered { code }),
            Err(CallError::TimedOut(_)) => Ok(OpenedCall::AwaitsMessage),
            Err(error) => Err(error),
        }
    }

    fn call_within<S>(
        &self,
        messages: S,
        limit: Duration,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let transport = self.transport();
        let call = Arc::clone(&self.call);
        let fate = self.connected.fate.clone();
        async move {
            let started = Instant::now();
            match tokio::time::timeout(limit, call.make(transport, messages)).await {
                Ok(Err(error)) => Err(explain(error, fate)
                    .await
                    .into_timeout_if_late(started.elapsed(), limit)),
                Ok(answer) => answer,
                Err(_) => Err(CallError::TimedOut(limit)),
            }
        }
    }

    pub(super) fn transport(&self) -> Transport {
        Transport {
            sender: self.connected.sender.clone(),
            seen: Arc::default(),
            user_agent: self.call.user_agent.clone(),
            metadata: Arc::clone(&self.call.metadata),
        }
    }
}

impl Call {
    async fn make<S>(&self, transport: Transport, messages: S) -> Result<i32, CallError>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let mut request = tonic::Request::new(messages);
        request.set_timeout(self.timeout);
        let seen = Arc::clone(&transport.seen);
        let mut grpc = Grpc::with_origin(transport, self.origin.clone());
        if self.sends_gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip);
        }
        grpc.ready().await.map_err(|error| Seen::lost(&*error))?;
        let answer = grpc
            .client_streaming(request, self.contract.path.clone(), self.contract.codec())
            .await;
        match answer {
            Ok(response) => seen.success(response.into_inner()),
            Err(status) => Err(seen.failure(&status)),
        }
    }
}

/// What ended a connection, which a call on it learns no more of than that it is closed.
pub(super) async fn explain(error: CallError, fate: Fate) -> CallError {
    let Fate {
        mut end,
        is_leaving,
    } = fate;
    let ended = match &error {
        CallError::ConnectionLost(_) => {
            let told = tokio::time::timeout(LAST_WORDS, end.wait_for(Option::is_some)).await;
            told.ok().and_then(Result::ok).and_then(|told| told.clone())
        }
        // Others may be open on the connection still, so that its end may be far.
        CallError::NotSent { .. } => end.borrow().clone(),
        _ => None,
    };
    match (error, ended) {
        (_, Some(ended)) if ended.garbled => CallError::ProtocolError(ended.causes),
        (
            _,
            Some(Ended {
                reason: Some(reason),
                ..
            }),
        ) if reason != h2::Reason::NO_ERROR => CallError::GoAway(reason),
        (CallError::ConnectionLost(_), Some(ended)) if !ended.causes.is_empty() => {
            CallError::ConnectionLost(ended.causes)
        }
        (CallError::NotSent { causes, .. }, _) => CallError::NotSent {
            causes,
            has_goaway: is_leaving.load(Ordering::Relaxed),
        },
        (error, _) => error,
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connected.driver.abort();
    }
}
