//! One try of one message.

use std::{cell::Cell, rc::Rc};

use tokio::{sync::OwnedSemaphorePermit, task::JoinSet};

use super::{Ending, Exchange, Phase, Push, Server, pace::Pass};
use crate::{
    batch::Batch,
    client::{Answer, CallError},
};

/// A message that was sent, and what it holds until it is answered.
struct Begun<'p, C> {
    connection: Rc<C>,
    room: Option<OwnedSemaphorePermit>,
    pass: Option<Pass<'p>>,
    /// It ends with this value, should nobody wait for it any more.
    task: Answer,
}

impl<S: Server> Push<'_, S> {
    /// Sends one message once. The call has a task of its own, so that a panic in what lies below
    /// is a failure of this request and no other.
    pub(super) async fn try_once(
        &self,
        part: &Batch,
        is_further: bool,
    ) -> Result<Result<i32, CallError>, Ending> {
        let Begun {
            connection,
            room,
            pass,
            mut task,
        } = self.begin(part, is_further).await?;
        self.open.set(self.open.get() + 1);
        let answer = self.unless(Phase::Over, task.join_next()).await;
        self.open.set(self.open.get() - 1);
        drop(room);
        let answer = answer.map(|joined| match joined {
            Some(Ok(answer)) => answer,
            Some(Err(_)) | None => Err(CallError::Panicked),
        });
        // What was never sent was seen by nobody.
        if matches!(answer, Ok(Err(CallError::NotSent(_)))) {
            pass.into_iter().for_each(Pass::unused);
        } else {
            self.count_sent(is_further);
        }
        if let Ok(Err(error)) = &answer
            && error.ends_the_connection()
        {
            self.line.leave(&connection).await;
        }
        answer
    }

    /// Sends a message, as soon as there is a connection with room for it and its time has come.
    async fn begin(
        &self,
        part: &Batch,
        is_further: bool,
    ) -> Result<Begun<'_, S::Connection>, Ending> {
        // What has its time must not be sent along the way.
        let first = Cell::new(self.pace.is_none().then(|| part.message.clone()));
        let connected = self.unless(Phase::Ending, self.line.connection(self, &first));
        let Ok(connected) = connected.await else {
            if self.pace.is_none() && first.take().is_none() {
                self.count_sent(is_further);
            }
            return Err(Ending);
        };
        let (connection, answer) = connected?;
        if let Some(task) = answer {
            // Nobody else has had the connection yet.
            let room = connection.room().await;
            return Ok(Begun {
                connection,
                room,
                pass: None,
                task,
            });
        }
        let room = self.unless(Phase::Ending, connection.room()).await?;
        let pass = match &self.pace {
            Some(pace) => Some(self.unless(Phase::Ending, pace.enter(part.records)).await?),
            None => None,
        };
        if self.is_ending() {
            return Err(Ending);
        }
        let mut task = JoinSet::new();
        task.spawn(connection.exchange(part.message.clone()));
        Ok(Begun {
            connection,
            room,
            pass,
            task,
        })
    }

    fn count_sent(&self, is_further: bool) {
        let mut delivery = self.delivery.borrow_mut();
        delivery.sent += 1;
        delivery.retried += u64::from(is_further);
    }
}

impl CallError {
    /// Whether the connection that it happened on is of no more use. One that brought no answer
    /// in time may be dead without anybody's knowing.
    fn ends_the_connection(&self) -> bool {
        matches!(
            self,
            Self::GoneAway(_)
                | Self::NotSent(_)
                | Self::Lost(_)
                | Self::Garbled(_)
                | Self::TimedOut(_)
        )
    }
}
