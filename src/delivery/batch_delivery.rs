//! [`BatchDelivery`]: delivers one batch, from its first attempt until the outcome of each record
//! is known.

use std::cell::Cell;

use tokio::task::JoinSet;

use super::{
    attempt_counter::AttemptCounter,
    connection_slot::ConnectionSlot,
    delivery_state::{DeliveryPhase, DeliveryState, DeliveryStopped},
    outcome::{AttemptError, AttemptFailure},
    outcome_sink::UnacknowledgedReason,
    policy::DeliveryPolicy,
    rate_limiter::{RateLimiter, RatePermit},
    retry_decision::{RetryDecision, decide_call_retry, is_end_of_connection, is_invalid_argument},
    retry_throttle::RetryThrottle,
    server::{Server, ServerConnection},
};
use crate::{batch::Batch, client::CallError, contract::Contract};

/// Delivers batches, and retries the request of each batch separately. A batch that the server
/// rejects as too large is split. With [`DeliveryPolicy::isolates_invalid_records`], a batch that
/// the server rejects with `INVALID_ARGUMENT` is split as well.
pub(super) struct BatchDelivery<'d, 's, S: Server> {
    connection: ConnectionSlot<'d, S>,
    policy: &'d DeliveryPolicy,
    contract: &'d Contract,
    throttle: RetryThrottle,
    rate_limiter: Option<RateLimiter>,
    /// The size in bytes of the smallest message that the server rejected as too large, or
    /// `usize::MAX` if there is no such message.
    min_rejected_bytes: Cell<usize>,
    state: &'d DeliveryState<'s>,
}

/// The reason why a request, or one attempt to send it, got no response code.
enum RequestError {
    Stopped,
    Failed(CallError),
}

impl From<DeliveryStopped> for RequestError {
    fn from(_: DeliveryStopped) -> Self {
        Self::Stopped
    }
}

impl<'d, 's, S: Server> BatchDelivery<'d, 's, S> {
    pub(super) fn new(
        server: &'d S,
        policy: &'d DeliveryPolicy,
        contract: &'d Contract,
        state: &'d DeliveryState<'s>,
    ) -> Self {
        Self {
            connection: ConnectionSlot::new(server),
            policy,
            contract,
            throttle: RetryThrottle::new(policy),
            rate_limiter: policy.max_records_per_second.map(RateLimiter::new),
            min_rejected_bytes: Cell::new(usize::MAX),
            state,
        }
    }

    /// Delivers a batch, in parts if necessary, and adds the outcome of each record to the state of
    /// the push.
    pub(super) async fn deliver_batch(&self, batch: Batch) {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if self.state.is_stopping() {
                self.record_stopped(&part);
                continue;
            }
            // The server has rejected a message of the same or a smaller size as too large, so this
            // part is split without an attempt.
            if part.message.len() >= self.min_rejected_bytes.get()
                && let Some([first, second]) = part.halves(self.contract)
            {
                parts.extend([second, first]);
                continue;
            }
            let mut attempts = AttemptCounter::default();
            match self.send_with_retries(&part, &mut attempts).await {
                Ok(code) => self.record_response(&part, code),
                Err(RequestError::Stopped) => self.record_stopped(&part),
                Err(RequestError::Failed(error)) => {
                    let splits = match error {
                        CallError::TooLarge { .. } => {
                            let smallest = self.min_rejected_bytes.get().min(part.message.len());
                            self.min_rejected_bytes.set(smallest);
                            true
                        }
                        _ => self.policy.isolates_invalid_records && is_invalid_argument(&error),
                    };
                    match part.halves(self.contract).filter(|_| splits) {
                        Some([first, second]) => parts.extend([second, first]),
                        None if splits => {
                            self.state
                                .record_rejected_by_status(&part, self.contract, error);
                        }
                        None => self.state.record_failed(&part, error, attempts.total()),
                    }
                }
            }
        }
    }

    /// Sends one request message until the server answers with a response code, or until no retry
    /// is left. Returns the response code, and counts the failed attempts.
    async fn send_with_retries(
        &self,
        part: &Batch,
        attempts: &mut AttemptCounter,
    ) -> Result<i32, RequestError> {
        let mut is_retry = false;
        loop {
            let error = match self.attempt(part, is_retry).await {
                Err(RequestError::Failed(error)) => error,
                result => return result,
            };
            is_retry |= !matches!(error, CallError::NotSent { .. });
            let decision = attempts.count_failure(decide_call_retry(&error));
            if decision == RetryDecision::Transparent {
                continue;
            }
            if decision != RetryDecision::Never {
                self.throttle.count_failure();
            }
            let delay = match self.policy.retry_delay(decision, *attempts) {
                None => return Err(RequestError::Failed(error)),
                Some(_) if decision == RetryDecision::Backoff && self.throttle.is_throttled() => {
                    self.policy.max_backoff()
                }
                Some(delay) => delay,
            };
            let failure = AttemptFailure {
                error: AttemptError::Call(error),
                attempts: attempts.total(),
            };
            self.state.pause_before_retry(failure, delay).await?;
        }
    }

    /// Makes one attempt to send a request message and returns the response code.
    async fn attempt(&self, part: &Batch, is_retry: bool) -> Result<i32, RequestError> {
        let state = self.state;
        let draining = DeliveryPhase::Draining;
        let connection = self.connection.connection(self.policy, state);
        let connection = state.complete_before(draining, connection).await??;
        let stream = connection.reserve_stream();
        let stream = state.complete_before(draining, stream).await?;
        let rate_permit = match &self.rate_limiter {
            Some(limiter) => {
                let permit = limiter.acquire(part.record_count);
                Some(state.complete_before(draining, permit).await?)
            }
            None => None,
        };
        if state.is_stopping() {
            return Err(RequestError::Stopped);
        }
        // The call runs in a separate task, so a panic fails only this request. Dropping the
        // `JoinSet` cancels the task.
        let mut task = JoinSet::new();
        task.spawn(connection.send(part.message.clone()));
        state.attempt_started();
        let joined = state
            .complete_before(DeliveryPhase::Aborted, task.join_next())
            .await;
        state.attempt_ended();
        drop(stream);
        let result = match joined {
            Ok(Some(Ok(Ok(code)))) => Ok(code),
            Ok(Some(Ok(Err(error)))) => Err(RequestError::Failed(error)),
            Ok(Some(Err(_)) | None) => Err(RequestError::Failed(CallError::Panicked)),
            Err(DeliveryStopped) => Err(RequestError::Stopped),
        };
        if let Err(RequestError::Failed(CallError::NotSent { .. })) = result {
            rate_permit.into_iter().for_each(RatePermit::cancel);
        } else {
            state.count_attempt(is_retry);
        }
        if let Err(RequestError::Failed(error)) = &result
            && is_end_of_connection(error)
        {
            self.connection.discard(&connection).await;
        }
        result
    }

    fn record_response(&self, part: &Batch, code: i32) {
        self.throttle.count_success();
        if self.policy.ok_codes.contains(&code) {
            self.state.count_acknowledged(part, code);
        } else {
            self.state.record_rejected_by_code(part, code);
        }
    }

    fn record_stopped(&self, part: &Batch) {
        let reason = UnacknowledgedReason::PushStopped;
        self.state.count_unacknowledged(part, &reason);
    }
}
