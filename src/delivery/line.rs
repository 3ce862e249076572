//! The connection of a push: one at a time, made anew where it is lost.

use std::rc::Rc;

use tokio::sync::Mutex;

use super::{
    AttemptFailure, Ending, Push, Server, StopReason,
    policy::{Again, DeliveryPolicy, Tries, dial_again},
};

/// The way to the server, shared by all requests.
pub(super) struct Line<'s, S: Server> {
    server: &'s S,
    current: Mutex<Option<Rc<S::Connection>>>,
}

impl<'s, S: Server> Line<'s, S> {
    pub(super) fn new(server: &'s S) -> Self {
        Self {
            server,
            current: Mutex::default(),
        }
    }

    /// The connection, made where there is none. Whoever comes while it is being made waits for
    /// the same one, so that a server which is down is not asked by each request for itself. One
    /// that can't be had ends the push.
    pub(super) async fn connection(&self, push: &Push<'_, S>) -> Result<Rc<S::Connection>, Ending> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &*current {
            return Ok(Rc::clone(connection));
        }
        let connection = Rc::new(self.dial(push, push.policy).await?);
        *current = Some(Rc::clone(&connection));
        Ok(connection)
    }

    async fn dial(
        &self,
        push: &Push<'_, S>,
        policy: &DeliveryPolicy,
    ) -> Result<S::Connection, Ending> {
        let mut tries = Tries::default();
        loop {
            // Within each request's future it would make up most of it, to be moved along with it.
            let error = match Box::pin(self.server.connect()).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let again = tries.count(dial_again(&error));
            if again == Again::Free {
                continue;
            }
            let failed = AttemptFailure::Connect {
                error,
                attempts: tries.all(),
            };
            let Some(wait) = policy.wait(again, tries) else {
                push.end(StopReason::Attempt(failed));
                return Err(Ending);
            };
            push.pause_after(failed, wait).await?;
        }
    }

    /// Leaves a connection on which nothing more can be sent.
    pub(super) async fn leave(&self, connection: &Rc<S::Connection>) {
        let mut current = self.current.lock().await;
        if current
            .as_ref()
            .is_some_and(|one| Rc::ptr_eq(one, connection))
        {
            *current = None;
        }
    }
}
