//! [`ConnectionSlot`]: the connection that all requests of a push share. A lost connection is
//! replaced.

use std::rc::Rc;

use tokio::sync::Mutex;

use super::{
    delivery_state::{DeliveryState, DeliveryStopped},
    outcome::{AttemptError, AttemptFailure, StopReason},
    policy::{AttemptCounter, DeliveryPolicy},
    retry_decision::decide_retry,
    server::Server,
};

pub(super) struct ConnectionSlot<'s, S: Server> {
    server: &'s S,
    current: Mutex<Option<Rc<S::Connection>>>,
}

impl<'s, S: Server> ConnectionSlot<'s, S> {
    pub(super) fn new(server: &'s S) -> Self {
        Self {
            server,
            current: Mutex::default(),
        }
    }

    /// Returns the current connection. If there is no current connection, connects first.
    ///
    /// While one request connects, all other requests wait for the same connection. A server that
    /// is down therefore gets one connection attempt at a time, not one per request.
    pub(super) async fn connection(
        &self,
        policy: &DeliveryPolicy,
        state: &DeliveryState<'_>,
    ) -> Result<Rc<S::Connection>, DeliveryStopped> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &*current {
            return Ok(Rc::clone(connection));
        }
        let connection = Rc::new(self.connect_with_retries(policy, state).await?);
        *current = Some(Rc::clone(&connection));
        Ok(connection)
    }

    async fn connect_with_retries(
        &self,
        policy: &DeliveryPolicy,
        state: &DeliveryState<'_>,
    ) -> Result<S::Connection, DeliveryStopped> {
        let mut attempts = AttemptCounter::default();
        loop {
            // The future of `connect` is large, and the future of each request would contain it.
            // Boxing the future of `connect` keeps the futures of the requests small.
            let error = match Box::pin(self.server.connect()).await {
                Ok(connection) => return Ok(connection),
                Err(error) => AttemptError::Connect(error),
            };
            let delay = policy.delay_after(decide_retry(&error), &mut attempts);
            let failure = AttemptFailure {
                error,
                attempts: attempts.total(),
            };
            let Some(delay) = delay else {
                state.stop(StopReason::Attempt(failure));
                return Err(DeliveryStopped);
            };
            state.pause_before_retry(failure, delay).await?;
        }
    }

    /// Removes a connection that can carry no further request. Does nothing if a
    /// different connection has already replaced this connection.
    pub(super) async fn discard(&self, connection: &Rc<S::Connection>) {
        let mut current = self.current.lock().await;
        if current
            .as_ref()
            .is_some_and(|current| Rc::ptr_eq(current, connection))
        {
            *current = None;
        }
    }
}
