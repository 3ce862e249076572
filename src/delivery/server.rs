//! What a push sends to, as much of it as policy needs.

use std::future::Future;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    client::{CallError, Client, ConnectError, Finding, Target},
    contract::Contract,
};

/// Something that can be connected to.
pub(crate) trait Server {
    type Connection: Exchange;

    fn connect(&self) -> impl Future<Output = Result<Self::Connection, ConnectError>>;
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

    async fn connect(&self) -> Result<Client, ConnectError> {
        Client::connect(self.target, self.contract, self.watch).await
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
