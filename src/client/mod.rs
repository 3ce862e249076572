//! One connection to one server, and one call on it. No retry and no policy.

mod ask;
mod call;
mod describe;
mod dial;
mod error;
mod greeting;
mod held;
mod tcp;
mod tunnel;

use std::{
    cell::Cell,
    future::ready,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Uri};
use hyper::client::conn::http2;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    task::JoinSet,
};
use tokio_stream::Stream;
use tonic::{body::Body, client::Grpc, codec::CompressionEncoding};

use call::{Seen, Transport};
pub(crate) use describe::DescribeError;
pub(crate) use dial::{Cause, ConnectError, Finding, Session, Stage};
use dial::{Connected, Ended};
pub(crate) use error::{Advice, CallError};

use crate::{endpoint::Endpoint, metadata::Metadata, proxy::Proxy, tls::ClientTls, wire::Contract};

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
    pub(crate) gzip: bool,
    /// How often an open request's connection is asked for a sign of life.
    pub(crate) keepalive: Option<Duration>,
}

/// A request under way, in a task of its own, which ends with this value.
pub(crate) type Answer = JoinSet<Result<i32, CallError>>;

/// How long the end of a connection may take to be known once a call has failed by it.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A connection on which the server speaks HTTP/2.
#[derive(Debug)]
pub(crate) struct Client {
    connected: Connected,
    /// Room for open requests: what waits for it in the stack below would wait on its deadline.
    room: Arc<Semaphore>,
    call: Arc<Call>,
}

/// What all calls on a connection have in common.
#[derive(Debug)]
struct Call {
    origin: Uri,
    timeout: Duration,
    user_agent: HeaderValue,
    metadata: Arc<Metadata>,
    gzip: bool,
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
        watch: &dyn Fn(Finding),
    ) -> Result<Self, ConnectError> {
        let connected = Self::connect_and_send(target, contract, watch, &Cell::default()).await;
        connected.map(|(client, _)| client)
    }

    /// The same, with a first request that is sent before the server has said that it speaks HTTP/2,
    /// which saves a round trip (RFC 9113 section 3.4 allows it). So it is only where the server agreed
    /// to HTTP/2 in TLS and asked for no client certificate, which it may refuse yet; elsewhere, and
    /// where the way ends before, the request stays in `first`.
    ///
    /// # Errors
    ///
    /// As above. Whatever became of the request then, it counts as not sent.
    pub(crate) async fn connect_and_send(
        target: &Target,
        contract: &Contract,
        watch: &dyn Fn(Finding),
        first: &Cell<Option<Bytes>>,
    ) -> Result<(Self, Option<Answer>), ConnectError> {
        let call = Arc::new(Call {
            origin: dial::origin(target),
            timeout: target.timeout,
            user_agent: target.user_agent.clone(),
            metadata: Arc::new(target.metadata.clone()),
            gzip: target.gzip,
            contract: contract.clone(),
        });
        let mut early = None;
        let connected = dial::dial(target, watch, &mut |sender, end| {
            if target.tls.is_none() || dial::asked_for_certificate(target) {
                return;
            }
            early = first.take().map(|message| {
                let transport = call.transport(sender.clone());
                let (greeted, greeting) = oneshot::channel::<()>();
                let mut answer = JoinSet::new();
                let messages = tokio_stream::once(message);
                let call = Arc::clone(&call);
                let limit = call.timeout;
                answer.spawn(call.answer(transport, messages, limit, greeting, end.clone()));
                (answer, greeted)
            });
        })
        .await?;
        let early = early.map(|(answer, greeted)| {
            // It may have been answered already.
            let _ = greeted.send(());
            answer
        });
        // With none it would wait for ever for the server to change its mind.
        let room = connected.max_streams.map_or(u32::MAX, |most| most.max(1));
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let client = Self {
            connected,
            room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
            call,
        };
        Ok((client, early))
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
    pub(crate) fn room(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>> + use<> {
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
    /// How the call ended within `patience`.
    pub(crate) async fn knock(&self, patience: Duration) -> Result<Option<i32>, CallError> {
        match self.call_within(tokio_stream::pending(), patience).await {
            Ok(code) => Ok(Some(code)),
            Err(CallError::TimedOut(_)) => Ok(None),
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
        let end = self.connected.end.clone();
        let call = Arc::clone(&self.call);
        call.answer(self.transport(), messages, limit, ready(()), end)
    }

    fn transport(&self) -> Transport {
        self.call.transport(self.connected.sender.clone())
    }
}

impl Call {
    fn transport(&self, sender: http2::SendRequest<Body>) -> Transport {
        Transport {
            sender,
            seen: Arc::default(),
            user_agent: self.user_agent.clone(),
            metadata: Arc::clone(&self.metadata),
        }
    }

    /// Makes the call, and gives it up at this limit, which counts from `clock`.
    async fn answer<S, T>(
        self: Arc<Self>,
        transport: Transport,
        messages: S,
        limit: Duration,
        clock: impl Future<Output = T>,
        end: watch::Receiver<Option<Ended>>,
    ) -> Result<i32, CallError>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let started = Instant::now();
        let late = async {
            clock.await;
            tokio::time::sleep(limit).await;
        };
        tokio::select! {
            biased;
            answer = self.make(transport, messages) => match answer {
                Err(error) => Err(explain(error, end).await.after(started.elapsed(), limit)),
                answer => answer,
            },
            () = late => Err(CallError::TimedOut(limit)),
        }
    }

    async fn make<S>(&self, transport: Transport, messages: S) -> Result<i32, CallError>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let mut request = tonic::Request::new(messages);
        request.set_timeout(self.timeout);
        let seen = Arc::clone(&transport.seen);
        let mut grpc = Grpc::with_origin(transport, self.origin.clone());
        if self.gzip {
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
async fn explain(error: CallError, mut end: watch::Receiver<Option<Ended>>) -> CallError {
    let ended = match &error {
        CallError::Lost(_) => {
            let told = tokio::time::timeout(LAST_WORDS, end.wait_for(Option::is_some)).await;
            told.ok().and_then(Result::ok).and_then(|told| told.clone())
        }
        // Others may be open on the connection still, so that its end may be far.
        CallError::NotSent(_) => end.borrow().clone(),
        _ => None,
    };
    match (error, ended) {
        (_, Some(ended)) if ended.garbled => CallError::Garbled(ended.causes),
        (
            _,
            Some(Ended {
                reason: Some(reason),
                ..
            }),
        ) if reason != h2::Reason::NO_ERROR => CallError::GoneAway(reason),
        (CallError::Lost(_), Some(ended)) if !ended.causes.is_empty() => {
            CallError::Lost(ended.causes)
        }
        (error, _) => error,
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connected.driver.abort();
    }
}
