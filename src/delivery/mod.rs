//! Requests to outcomes: what is sent, when it is sent again, and what each answer means.
//!
//! Tokens are unique in a push, so that the order in which requests arrive does not matter: this
//! is what lets several be in flight, and lets one be sent again behind later ones.

mod describe;
mod line;
mod outcome;
mod pace;
mod policy;
mod server;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::pin,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

pub(crate) use self::{
    describe::{Undescribed, describe},
    outcome::{Delivery, End, OutputFailed, Why, Witness},
    policy::Policy,
    server::{Exchange, Remote, Server},
};
use self::{
    line::Line,
    pace::{Pace, Pass},
    policy::{Again, Throttle, Tries, again},
};
use crate::{
    batch::{Batch, Batches},
    client::CallError,
    contract::Contract,
    input::Problem,
    signals::Signals,
};

/// The requests of a push, made as they are taken, in a thread that reads.
pub(crate) type Incoming = mpsc::Receiver<Result<Batch, Problem>>;

/// Requests that wait to be taken.
const WAITING: usize = 4;

/// Hands on the next request, unless nobody takes it; whether there may be another.
pub(crate) fn read_one(
    batches: &mut Batches<'_>,
    to: &mpsc::Sender<Result<Batch, Problem>>,
) -> bool {
    let batch = match batches.next() {
        Ok(Some(batch)) => Ok(batch),
        Ok(None) => return false,
        Err(problem) => Err(problem),
    };
    let is_last = batch.is_err() || batches.is_finished();
    to.blocking_send(batch).is_ok() && !is_last
}

/// Where requests are handed on.
pub(crate) fn channel() -> (mpsc::Sender<Result<Batch, Problem>>, Incoming) {
    mpsc::channel(WAITING)
}

/// How many refused records are kept for their names.
const NAMED: usize = 20;

/// Sends every request. A failure that concerns its own request only is counted; any other that is
/// not mended by further tries ends the push: no new request starts, and open ones finish. So does
/// a signal.
pub(crate) async fn deliver(
    batches: &mut Incoming,
    server: &impl Server,
    policy: &Policy,
    contract: &Contract,
    signals: &Signals,
    witness: &mut dyn Witness,
) -> Delivery {
    let push = Push {
        line: Line::new(server),
        policy,
        contract,
        throttle: Throttle::new(policy),
        pace: policy.rate.map(Pace::new),
        phase: watch::channel(Phase::Sending).0,
        open: Cell::new(0),
        refused_size: Cell::new(usize::MAX),
        last: RefCell::new(None),
        delivery: RefCell::default(),
        witness: RefCell::new(witness),
    };
    push.run(batches, signals).await;
    push.tell_the_rest(batches).await;
    let mut delivery = push.delivery.into_inner();
    delivery.signal = signals.arrived();
    delivery
}

/// A push under way.
struct Push<'p, S: Server> {
    line: Line<'p, S>,
    policy: &'p Policy,
    contract: &'p Contract,
    throttle: Throttle,
    pace: Option<Pace>,
    phase: watch::Sender<Phase>,
    /// Tries that wait for their answer.
    open: Cell<usize>,
    /// The smallest message that was refused for its size.
    refused_size: Cell<usize>,
    /// The last failure that was worth another try.
    last: RefCell<Option<End>>,
    delivery: RefCell<Delivery>,
    witness: RefCell<&'p mut dyn Witness>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Sending,
    /// No new try may start.
    Ending,
    /// Not even open tries may go on.
    Over,
}

/// The push ends: what waits is not to wait any longer.
struct Ending;

impl<S: Server> Push<'_, S> {
    async fn run(&self, batches: &mut Incoming, signals: &Signals) {
        let mut requests = FuturesUnordered::new();
        let mut is_over = false;
        let mut signal = pin!(signals.wait());
        let mut signalled = false;
        let mut out_of_time = false;
        loop {
            let takes_more = !is_over && !self.is_ending();
            if requests.is_empty() && !takes_more {
                return;
            }
            tokio::select! {
                biased;
                () = at(self.policy.deadline), if !out_of_time => {
                    out_of_time = true;
                    let last = self.last.borrow_mut().take().map(Box::new);
                    // Between requests there is no failure to speak of.
                    let between = last.is_none() && self.delivery.borrow().sent > 0;
                    let in_request = self.open.get() > 0 || between;
                    self.end(End::MaxTime { in_request, last });
                    self.phase.send_replace(Phase::Over);
                }
                _ = &mut signal, if !signalled => {
                    signalled = true;
                    self.end(End::Signal);
                }
                Some(()) = requests.next(), if !requests.is_empty() => {}
                batch = batches.recv(),
                    if takes_more && requests.len() < self.policy.concurrency =>
                {
                    match batch {
                        Some(Ok(batch)) => requests.push(self.see_through(batch)),
                        Some(Err(problem)) => self.end(End::Input(problem)),
                        None => is_over = true,
                    }
                }
            }
        }
    }

    /// Sends a request, in parts where it must be, until the fate of each of its records is known
    /// or the push ends.
    async fn see_through(&self, batch: Batch) {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if self.is_ending() {
                self.keep_back(&part, &Why::Ended);
                continue;
            }
            // What is as large as something that was refused would be refused again.
            if part.message.len() >= self.refused_size.get()
                && let Some((first, second)) = part.halves(self.contract)
            {
                parts.extend([second, first]);
                continue;
            }
            match self.try_until_done(&part).await {
                Ok(Ok(code)) => self.answered(&part, code),
                Ok(Err((error, tries))) => {
                    if error.is_about_size() {
                        let smallest = self.refused_size.get().min(part.message.len());
                        self.refused_size.set(smallest);
                    }
                    let splits = error.is_about_size()
                        || (self.policy.isolate && error.is_invalid_argument());
                    match part.halves(self.contract).filter(|_| splits) {
                        Some((first, second)) => parts.extend([second, first]),
                        None if splits => self.refused(&part, error),
                        None => self.failed(&part, error, tries),
                    }
                }
                Err(Ending) => self.keep_back(&part, &Why::Ended),
            }
        }
    }

    /// Tries one message until it is answered or no further try is worth it; with the number of
    /// tries.
    async fn try_until_done(&self, part: &Batch) -> Result<Result<i32, (CallError, u32)>, Ending> {
        let mut tries = Tries::default();
        let mut is_further = false;
        loop {
            let error = match self.try_once(part, is_further).await? {
                Ok(code) => return Ok(Ok(code)),
                Err(error) => error,
            };
            is_further |= !matches!(error, CallError::NotSent { .. });
            let again = tries.count(again(&error));
            if again == Again::Free {
                continue;
            }
            if again != Again::No {
                self.throttle.failed();
            }
            let wait = match self.policy.wait(again, tries) {
                None => return Ok(Err((error, tries.all()))),
                // As long as ever: most of what it gets fails.
                Some(_) if again == Again::Backoff && !self.throttle.allows() => {
                    self.policy.backoff(u32::MAX)
                }
                Some(wait) => wait,
            };
            let tries = tries.all();
            self.pause_after(End::Call { error, tries }, wait).await?;
        }
    }

    /// Sends one message once. The call has a task of its own, so that a panic in what lies below
    /// is a failure of this request and no other.
    async fn try_once(
        &self,
        part: &Batch,
        is_further: bool,
    ) -> Result<Result<i32, CallError>, Ending> {
        let connection = self
            .unless(Phase::Ending, self.line.connection(self))
            .await??;
        let room = self.unless(Phase::Ending, connection.room()).await?;
        let pass = match &self.pace {
            Some(pace) => Some(self.unless(Phase::Ending, pace.enter(part.records)).await?),
            None => None,
        };
        if self.is_ending() {
            return Err(Ending);
        }
        // It ends with this value, should nobody wait for it any more.
        let mut task = JoinSet::new();
        task.spawn(connection.exchange(part.message.clone()));
        self.open.set(self.open.get() + 1);
        let answer = self.unless(Phase::Over, task.join_next()).await;
        self.open.set(self.open.get() - 1);
        drop(room);
        let answer = answer.map(|joined| match joined {
            Some(Ok(answer)) => answer,
            Some(Err(_)) | None => Err(CallError::Panicked),
        });
        // What was never sent was seen by nobody.
        if matches!(answer, Ok(Err(CallError::NotSent { .. }))) {
            pass.into_iter().for_each(Pass::unused);
        } else {
            let mut delivery = self.delivery.borrow_mut();
            delivery.sent += 1;
            delivery.retried += u64::from(is_further);
        }
        if let Ok(Err(error)) = &answer
            && error.ends_the_connection()
        {
            self.line.leave(&connection).await;
        }
        answer
    }

    fn answered(&self, part: &Batch, code: i32) {
        self.throttle.succeeded();
        *self.delivery.borrow_mut().codes.entry(code).or_default() += 1;
        if !self.policy.ok_codes.contains(&code) {
            let mut delivery = self.delivery.borrow_mut();
            delivery.rejected += part.records;
            delivery.failed += 1;
            drop(delivery);
            return self.keep_back(part, &Why::Code(code));
        }
        self.delivery.borrow_mut().acknowledged += part.records;
        if self.witness.borrow_mut().acknowledged(part).is_err() {
            self.end(End::Output);
        }
    }

    /// A record that the server does not take.
    fn refused(&self, part: &Batch, error: CallError) {
        let mut delivery = self.delivery.borrow_mut();
        delivery.rejected += part.records;
        delivery.failed += 1;
        if delivery.refused.len() < NAMED {
            delivery.refused.push((part.message.clone(), error.clone()));
        }
        delivery.refusal.get_or_insert_with(|| error.clone());
        drop(delivery);
        self.keep_back(part, &Why::Rejected(error));
    }

    /// A request that failed for good.
    fn failed(&self, part: &Batch, error: CallError, tries: u32) {
        self.delivery.borrow_mut().failed += 1;
        self.keep_back(part, &Why::Failed(error.clone()));
        if error.is_of_its_request() {
            let mut delivery = self.delivery.borrow_mut();
            delivery.refusal.get_or_insert(error);
        } else {
            self.end(End::Call { error, tries });
        }
    }

    fn keep_back(&self, part: &Batch, why: &Why) {
        if self.witness.borrow_mut().kept_back(part, why).is_err() {
            self.end(End::Output);
        }
    }

    /// Tells the witness of what was not tried.
    async fn tell_the_rest(&self, batches: &mut Incoming) {
        if !self.witness.borrow().wants_all() {
            return;
        }
        // An input that can't be read any more is what ended the push.
        while let Some(Ok(batch)) = batches.recv().await {
            let told = self.witness.borrow_mut().kept_back(&batch, &Why::Ended);
            if told.is_err() {
                return self.end(End::Output);
            }
        }
    }

    fn is_ending(&self) -> bool {
        *self.phase.borrow() >= Phase::Ending
    }

    /// Lets no new try start. The first reason is the one that counts, but for a signal, which is
    /// known anyway, and an output that can't be written: what it does not say may be believed.
    fn end(&self, why: End) {
        let mut delivery = self.delivery.borrow_mut();
        if matches!(delivery.end, None | Some(End::Signal)) || matches!(why, End::Output) {
            delivery.end = Some(why);
        }
        drop(delivery);
        self.phase.send_if_modified(|phase| {
            let is_new = *phase == Phase::Sending;
            *phase = (*phase).max(Phase::Ending);
            is_new
        });
    }

    /// Waits before what failed is tried again.
    async fn pause_after(&self, failed: End, wait: Duration) -> Result<(), Ending> {
        self.witness.borrow_mut().tried_again(&failed, wait);
        *self.last.borrow_mut() = Some(failed);
        let waited = self.unless(Phase::Ending, tokio::time::sleep(wait)).await;
        // What was to be tried again is what a signal leaves undone.
        if waited.is_err()
            && let Some(last) = self.last.take()
        {
            self.end(last);
        }
        waited
    }

    /// Waits, but not into this phase.
    async fn unless<T>(&self, phase: Phase, wait: impl Future<Output = T>) -> Result<T, Ending> {
        let mut phases = self.phase.subscribe();
        tokio::select! {
            biased;
            _ = phases.wait_for(|now| *now >= phase) => Err(Ending),
            done = wait => Ok(done),
        }
    }
}

async fn at(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

impl CallError {
    /// Whether the connection that it happened on is of no more use. One that brought no answer
    /// in time may be dead without anybody's knowing.
    fn ends_the_connection(&self) -> bool {
        matches!(
            self,
            Self::GoneAway(_)
                | Self::NotSent { .. }
                | Self::Lost(_)
                | Self::Garbled(_)
                | Self::TimedOut(_)
        )
    }

    fn is_invalid_argument(&self) -> bool {
        matches!(
            self,
            Self::Status {
                code: tonic::Code::InvalidArgument,
                ..
            }
        )
    }
}
