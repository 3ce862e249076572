//! [`Server`] and [`ServerConnection`]: the operations of a server that the delivery uses, which
//! are to connect, to reserve a stream and to send.

use std::future::Future;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    client::{CallError, Client, ConnectError, LastAddress, StageSuccess, Target},
    contract::Contract,
};

/// A server that the delivery can connect to. The tests of `delivery` implement this trait with a
/// script.
pub(crate) trait Server {
    type Connection: ServerConnection;

    fn connect(&self) -> impl Future<Output = Result<Self::Connection, ConnectError>>;
}

pub(crate) trait ServerConnection {
    /// Waits until the server's limit on concurrent streams allows one more request. The stream
    /// stays reserved until the permit is dropped. `None` means that there is no permit and no
    /// limit, as in the tests.
    fn reserve_stream(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>>;

    fn send(&self, message: Bytes)
    -> impl Future<Output = Result<i32, CallError>> + Send + 'static;
}

/// A server on the network.
pub(crate) struct RemoteServer<'t> {
    pub(crate) target: &'t Target,
    pub(crate) contract: &'t Contract,
    /// Called after each connection stage that succeeded, with the result of the stage.
    pub(crate) on_stage: &'t dyn Fn(StageSuccess),
    pub(crate) last_address: LastAddress,
}

impl Server for RemoteServer<'_> {
    type Connection = Client;

    async fn connect(&self) -> Result<Client, ConnectError> {
        Client::connect(
            self.target,
            self.contract,
            &self.last_address,
            self.on_stage,
        )
        .await
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
