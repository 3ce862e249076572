//! One connection to one server, and one call on it. No retry and no policy.

mod ask;
mod call;
mod dial;
mod greeting;
mod tcp;
mod tunnel;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Uri};
use tokio_stream::Stream;
use tonic::{client::Grpc, codec::CompressionEncoding};

pub(crate) use call::CallError;
use call::{Seen, Transport};
use dial::Connected;
pub(crate) use dial::{Cause, ConnectError, Finding, Session, Stage};

use crate::{
    endpoint::Endpoint,
    metadata::Metadata,
    proxy::Proxy,
    tls::ClientTls,
    wire::{Contract, PushCodec},
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
    pub(crate) gzip: bool,
    /// How often an open request's connection is asked for a sign of life.
    pub(crate) keepalive: Option<Duration>,
}

/// How long the end of a connection may take to be known once a call has failed by it.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A connection on which the server speaks HTTP/2.
#[derive(Debug)]
pub(crate) struct Client {
    connected: Connected,
    origin: Uri,
    timeout: Duration,
    user_agent: HeaderValue,
    metadata: Metadata,
    gzip: bool,
    contract: Arc<Contract>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The stage that failed, or that was under way when `connect_timeout` had passed.
    pub(crate) async fn connect(
        target: &Target,
        contract: Arc<Contract>,
    ) -> Result<Self, ConnectError> {
        Self::connect_watched(target, contract, &|_| {}).await
    }

    /// The same, with each stage's finding handed to `watch`.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub(crate) async fn connect_watched(
        target: &Target,
        contract: Arc<Contract>,
        watch: &dyn Fn(Finding),
    ) -> Result<Self, ConnectError> {
        Ok(Self {
            connected: dial::dial(target, watch).await?,
            origin: dial::origin(target),
            timeout: target.timeout,
            user_agent: target.user_agent.clone(),
            metadata: target.metadata.clone(),
            gzip: target.gzip,
            contract,
        })
    }

    /// Sends one request message and returns the response's code.
    ///
    /// # Errors
    ///
    /// How the call ended. The deadline is the server's to keep (`grpc-timeout`) and is kept here
    /// too.
    pub(crate) async fn send(&self, message: Bytes) -> Result<i32, CallError> {
        let call = self.call(tokio_stream::once(message));
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Err(CallError::Lost(causes))) => Err(CallError::Lost(self.why_lost(causes).await)),
            Ok(answer) => answer,
            Err(_) => Err(CallError::TimedOut(self.timeout)),
        }
    }

    /// Opens the call and sends no message, so that nothing can be applied. A server that does not
    /// know the call, or would not take it from this client, says so; one that does waits.
    ///
    /// # Errors
    ///
    /// How the call ended within `patience`.
    pub(crate) async fn knock(&self, patience: Duration) -> Result<(), CallError> {
        match tokio::time::timeout(patience, self.call(tokio_stream::pending())).await {
            Ok(Err(CallError::Lost(causes))) => Err(CallError::Lost(self.why_lost(causes).await)),
            Ok(Err(error)) => Err(error),
            // It did not even wait for a message, or it still waits.
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    async fn call<S>(&self, messages: S) -> Result<i32, CallError>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let mut request = tonic::Request::new(messages);
        request.set_timeout(self.timeout);
        let transport = self.transport();
        let seen = Arc::clone(&transport.seen);
        let mut grpc = Grpc::with_origin(transport, self.origin.clone());
        if self.gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip);
        }
        grpc.ready().await.map_err(|error| Seen::lost(&*error))?;
        let answer = grpc
            .client_streaming(request, self.contract.path.clone(), PushCodec)
            .await;
        match answer {
            Ok(response) => seen.success(response.into_inner()),
            Err(status) => Err(seen.failure(&status)),
        }
    }

    fn transport(&self) -> Transport {
        Transport {
            sender: self.connected.sender.clone(),
            seen: Arc::default(),
            user_agent: self.user_agent.clone(),
            metadata: self.metadata.clone(),
        }
    }

    /// What ended the connection, which a call on it learns no more of than that it is closed.
    async fn why_lost(&self, causes: Vec<String>) -> Vec<String> {
        let mut end = self.connected.end.clone();
        let told = tokio::time::timeout(LAST_WORDS, end.wait_for(Option::is_some)).await;
        let why = told
            .ok()
            .and_then(Result::ok)
            .and_then(|why| why.clone())
            .unwrap_or_default();
        if why.is_empty() { causes } else { why }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connected.driver.abort();
    }
}
