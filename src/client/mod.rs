//! One connection to one server, and one call on it. No retry and no policy.

mod call;
mod dial;
mod greeting;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Uri};
use hyper::client::conn::http2;
use tokio::task::JoinHandle;
use tonic::{body::Body, client::Grpc};

pub(crate) use call::CallError;
use call::{Seen, Transport};
pub(crate) use dial::{Cause, ConnectError, Stage};

use crate::{
    endpoint::Endpoint,
    tls::ClientTls,
    wire::{Contract, PushCodec},
};

/// How to reach a server.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    /// The HTTP/2 `:authority`.
    pub(crate) authority: http::uri::Authority,
    /// `None` for plaintext.
    pub(crate) tls: Option<ClientTls>,
    /// From the look-up of the name to the server's HTTP/2 SETTINGS.
    pub(crate) connect_timeout: Duration,
    /// From the start of a call to its end.
    pub(crate) timeout: Duration,
    pub(crate) user_agent: HeaderValue,
}

/// A connection on which the server speaks HTTP/2.
#[derive(Debug)]
pub(crate) struct Client {
    sender: http2::SendRequest<Body>,
    driver: JoinHandle<()>,
    origin: Uri,
    timeout: Duration,
    user_agent: HeaderValue,
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
        let (sender, driver) = dial::dial(target).await?;
        Ok(Self {
            sender,
            driver,
            origin: dial::origin(target),
            timeout: target.timeout,
            user_agent: target.user_agent.clone(),
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
        let mut request = tonic::Request::new(message);
        request.set_timeout(self.timeout);
        let seen = Arc::<Seen>::default();
        let transport = Transport {
            sender: self.sender.clone(),
            seen: Arc::clone(&seen),
            user_agent: self.user_agent.clone(),
        };
        let mut grpc = Grpc::with_origin(transport, self.origin.clone());
        let call = async {
            grpc.ready().await.map_err(|error| Seen::lost(&*error))?;
            let answer = grpc
                .unary(request, self.contract.path.clone(), PushCodec)
                .await;
            match answer {
                Ok(response) => seen.success(response.into_inner()),
                Err(status) => Err(seen.failure(&status)),
            }
        };
        match tokio::time::timeout(self.timeout, call).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::TimedOut(self.timeout)),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
