//! What a push sends to, as much of it as policy needs.

use std::{cell::Cell, future::Future};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    client::{Answer, CallError, Client, ConnectError, Finding, Target},
    wire::Contract,
};

/// Something that can be connected to.
pub(crate) trait Server {
    type Connection: Exchange;

    /// Connects, and may take a first message and send it along the way; its answer then.
    fn connect(
        &self,
        first: &Cell<Option<Bytes>>,
    ) -> impl Future<Output = Result<(Self::Connection, Option<Answer>), ConnectError>>;
}

/// Something that takes one request message and brings the response's code.
pub(crate) trait Exchange {
    /// Waits until the connection may have another request open; what is held as long as it is.
    fn room(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>>;

    fn exchange(
        &self,
        message: Bytes,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static;
}

/// The server of a push.
pub(crate) struct Remote<'t> {
    pub(crate) target: &'t Target,
    pub(crate) contract: &'t Contract,
    /// Is told what each stage of the way comes to.
    pub(crate) watch: &'t dyn Fn(Finding),
}

impl Server for Remote<'_> {
    type Connection = Client;

    async fn connect(
        &self,
        first: &Cell<Option<Bytes>>,
    ) -> Result<(Client, Option<Answer>), ConnectError> {
        Client::connect_and_send(self.target, self.contract, self.watch, first).await
    }
}

impl Exchange for Client {
    fn room(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>> {
        self.room()
    }

    fn exchange(
        &self,
        message: Bytes,
    ) -> impl Future<Output = Result<i32, CallError>> + Send + 'static {
        self.send(message)
    }
}
