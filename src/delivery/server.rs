//! The server that a push sends to, as far as delivery uses it: connect, reserve a stream, send.

use std::future::Future;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    client::{CallError, Client, ConnectError, StageOutcome, Target},
    contract::Contract,
};

/// A server that can be connected to. The tests of this folder replace it by a script.
pub(crate) trait Server {
    type Connection: ServerConnection;

    fn connect(&self) -> impl Future<Output = Result<Self::Connection, ConnectError>>;
}

/// A connection that takes request messages.
pub(crate) trait ServerConnection {
    /// Waits until the server's limit on concurrent streams allows another request, which may then
    /// be open for as long as the permit is held.
    fn reserve_stream(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>>;

    /// Sends one request message and returns the response code.
    fn send(&self, message: Bytes)
    -> impl Future<Output = Result<i32, CallError>> + Send + 'static;
}

/// A server on the network.
pub(crate) struct RemoteServer<'t> {
    pub(crate) target: &'t Target,
    pub(crate) contract: &'t Contract,
    /// Called with the outcome of each connection stage.
    pub(crate) on_stage: &'t dyn Fn(StageOutcome),
}

impl Server for RemoteServer<'_> {
    type Connection = Client;

    async fn connect(&self) -> Result<Client, ConnectError> {
        Client::connect(self.target, self.contract, self.on_stage).await
    }
}

impl ServerConnection for Client {
    fn reserve_stream(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>> {
        Client::reserve_stream(self)
    }

    fn send(
        &self,
        message: Bytes,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static {
        Client::send(self, message)
    }
}
