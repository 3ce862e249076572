//! [`DeliveryState`]: the counts of a push so far, and the phase of the push.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    time::Duration,
};

use tokio::sync::watch;

use super::{
    outcome::{AttemptError, AttemptFailure, DeliveryOutcome, RejectedRecord, StopReason},
    outcome_sink::{OutcomeSink, UnacknowledgedReason},
    policy::AttemptCounter,
    retry_decision::is_request_specific,
};
use crate::{batch::Batch, client::CallError, contract::Contract, signals::Signal};

/// The maximum number of rejected records that are kept. Error messages name the kept records.
const MAX_NAMED_RECORDS: usize = 20;

/// The state that all requests of a push share: the phase of the push and the outcomes so far.
pub(super) struct DeliveryState<'s> {
    phase: watch::Sender<DeliveryPhase>,
    attempts_in_flight: Cell<usize>,
    /// The number of failed attempts that wait for their retry.
    waiting_retries: Cell<usize>,
    /// The last failed attempt for which a retry was scheduled, while any retry is waited for.
    last_failure: RefCell<Option<AttemptFailure>>,
    outcome: RefCell<DeliveryOutcome>,
    contract: &'s Contract,
    sink: RefCell<&'s mut dyn OutcomeSink>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DeliveryPhase {
    Running,
    /// No new attempt starts; attempts in flight finish.
    Draining,
    /// Attempts in flight are abandoned.
    Aborted,
}

/// An error that means: the push is stopping, and the caller must make no further attempt.
pub(super) struct DeliveryStopped;

impl<'s> DeliveryState<'s> {
    pub(super) fn new(contract: &'s Contract, sink: &'s mut dyn OutcomeSink) -> Self {
        Self {
            phase: watch::channel(DeliveryPhase::Running).0,
            attempts_in_flight: Cell::new(0),
            waiting_retries: Cell::new(0),
            last_failure: RefCell::new(None),
            outcome: RefCell::default(),
            contract,
            sink: RefCell::new(sink),
        }
    }

    pub(super) fn into_outcome(self, signal: Option<Signal>) -> DeliveryOutcome {
        DeliveryOutcome {
            signal,
            ..self.outcome.into_inner()
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.phase.borrow() >= DeliveryPhase::Draining
    }

    /// Stops the push: attempts in flight finish and no new attempt starts.
    ///
    /// The first reason is kept, with two exceptions. Any reason replaces [`StopReason::Signal`],
    /// because [`DeliveryOutcome`] names the signal separately. [`StopReason::Output`] replaces any
    /// reason, because the caller must report an incomplete output in any case.
    pub(super) fn stop(&self, reason: StopReason) {
        let mut outcome = self.outcome.borrow_mut();
        if matches!(outcome.stop_reason, None | Some(StopReason::Signal))
            || matches!(reason, StopReason::Output)
        {
            outcome.stop_reason = Some(reason);
        }
        drop(outcome);
        self.phase.send_if_modified(|phase| {
            let is_first = *phase == DeliveryPhase::Running;
            *phase = (*phase).max(DeliveryPhase::Draining);
            is_first
        });
    }

    pub(super) fn stop_at_signal(&self, signal: Signal) {
        self.stop(StopReason::Signal);
        let open_requests = self.attempts_in_flight.get();
        if open_requests > 0 {
            self.sink.borrow_mut().interrupted(signal, open_requests);
        }
    }

    /// Stops the push because its deadline has passed, and abandons attempts in flight.
    pub(super) fn stop_at_deadline(&self) {
        let last_failure = self.last_failure.borrow_mut().take();
        let is_between_requests = last_failure.is_none() && self.outcome.borrow().requests.sent > 0;
        let in_request = self.attempts_in_flight.get() > 0 || is_between_requests;
        self.stop(StopReason::DeadlinePassed {
            in_request,
            last_failure,
        });
        self.phase.send_replace(DeliveryPhase::Aborted);
    }

    /// Runs `future` to its end, unless the push reaches `phase` first.
    pub(super) async fn complete_before<T>(
        &self,
        phase: DeliveryPhase,
        future: impl Future<Output = T>,
    ) -> Result<T, DeliveryStopped> {
        let mut phases = self.phase.subscribe();
        tokio::select! {
            biased;
            _ = phases.wait_for(|current| *current >= phase) => Err(DeliveryStopped),
            output = future => Ok(output),
        }
    }

    /// Tells the sink about a failed attempt and waits until its retry may start.
    /// If the push stops before, the failure becomes the stop reason, unless there is a reason other
    /// than a signal.
    pub(super) async fn pause_before_retry(
        &self,
        failure: AttemptFailure,
        delay: Duration,
    ) -> Result<(), DeliveryStopped> {
        self.sink.borrow_mut().retrying(&failure, delay);
        *self.last_failure.borrow_mut() = Some(failure);
        self.waiting_retries.update(|waiting| waiting + 1);
        let pause = tokio::time::sleep(delay);
        let paused = self.complete_before(DeliveryPhase::Draining, pause).await;
        self.waiting_retries.update(|waiting| waiting - 1);
        if paused.is_err()
            && let Some(failure) = self.last_failure.take()
        {
            self.stop(StopReason::Attempt(failure));
        } else if self.waiting_retries.get() == 0 {
            self.last_failure.take();
        }
        paused
    }

    /// Waits for the response to a request, unless the push is aborted first.
    pub(super) async fn finish_attempt<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, DeliveryStopped> {
        self.attempts_in_flight.update(|attempts| attempts + 1);
        let response = self.complete_before(DeliveryPhase::Aborted, call).await;
        self.attempts_in_flight.update(|attempts| attempts - 1);
        response
    }

    /// Stops the push if a request failed for a reason that concerns other requests as well.
    pub(super) fn stop_unless_request_specific(&self, error: &CallError, attempts: AttemptCounter) {
        if is_request_specific(error) {
            let mut outcome = self.outcome.borrow_mut();
            outcome.request_error.get_or_insert(error.clone());
        } else {
            self.stop(StopReason::Attempt(AttemptFailure {
                error: AttemptError::Call(error.clone()),
                attempts: attempts.total(),
            }));
        }
    }

    pub(super) fn count_attempt(&self, is_retry: bool) {
        let mut outcome = self.outcome.borrow_mut();
        outcome.requests.sent += 1;
        outcome.requests.retried += u64::from(is_retry);
    }

    /// Returns the number of acknowledged records.
    pub(super) fn acknowledged(&self) -> u64 {
        self.outcome.borrow().acknowledged
    }

    /// Counts a request whose response code means success, and passes its batch to the sink.
    pub(super) fn count_acknowledged(&self, batch: &Batch, code: i32) {
        let mut outcome = self.outcome.borrow_mut();
        *outcome.response_codes.entry(code).or_default() += 1;
        outcome.acknowledged += batch.record_count;
        drop(outcome);
        if self.sink.borrow_mut().acknowledged(batch).is_err() {
            self.stop(StopReason::Output);
        }
    }

    /// Counts a request whose records were not acknowledged, and passes its batch to the sink.
    pub(super) fn count_unacknowledged(&self, batch: &Batch, reason: &UnacknowledgedReason) {
        let mut outcome = self.outcome.borrow_mut();
        match reason {
            UnacknowledgedReason::ResponseCode(code) => {
                *outcome.response_codes.entry(*code).or_default() += 1;
                outcome.rejected += batch.record_count;
                outcome.requests.failed += 1;
            }
            UnacknowledgedReason::Rejected(error) => {
                outcome.rejected += batch.record_count;
                outcome.requests.failed += 1;
                outcome.request_error.get_or_insert(error.clone());
                if outcome.rejected_records.len() < MAX_NAMED_RECORDS {
                    let records = self.contract.decode_records(&batch.message);
                    let records = records.map(|record| RejectedRecord {
                        token: record.token.to_vec(),
                        error: error.clone(),
                    });
                    outcome.rejected_records.extend(records);
                }
            }
            UnacknowledgedReason::RequestFailed { .. } => outcome.requests.failed += 1,
            UnacknowledgedReason::PushStopped | UnacknowledgedReason::Abandoned => {}
        }
        if reason.is_outcome_unknown() {
            outcome.unknown += batch.record_count;
        }
        drop(outcome);
        let passed = self.sink.borrow_mut().unacknowledged(batch, reason);
        if passed.is_err() {
            self.stop(StopReason::Output);
        }
    }

    pub(super) fn wants_unattempted(&self) -> bool {
        self.sink.borrow().wants_unattempted()
    }
}
