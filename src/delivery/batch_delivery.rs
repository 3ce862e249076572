//! [`BatchDelivery`]: delivers one batch, from its first attempt until the outcome of each record
//! is known.

use std::cell::Cell;

use tokio::task::JoinSet;

use super::{
    attempt_counter::AttemptCounter,
    connection_slot::ConnectionSlot,
    delivery_state::{DeliveryPhase, DeliveryState, DeliveryStopped},
    outcome::AttemptFailure,
    outcome_sink::UnacknowledgedReason,
    policy::DeliveryPolicy,
    rate_limiter::{RateLimiter, RatePermit},
    retry_decision::{RetryDecision, decide_call_retry},
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

/// The reason why a request got no response code.
enum RequestError {
    Stopped,
    /// The last attempt failed, and there is no further retry.
    Failed {
        error: CallError,
        attempts: u32,
    },
}

/// The reason why an attempt got no response code.
enum AttemptError {
    Stopped,
    Failed(CallError),
}

impl From<DeliveryStopped> for RequestError {
    fn from(_: DeliveryStopped) -> Self {
        Self::Stopped
    }
}

impl From<DeliveryStopped> for AttemptError {
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
            match self.send_with_retries(&part).await {
                Ok(code) => self.record_response(&part, code),
                Err(RequestError::Stopped) => self.record_stopped(&part),
                Err(RequestError::Failed { error, attempts }) => {
                    if error.is_message_too_large() {
                        let smallest = self.min_rejected_bytes.get().min(part.message.len());
                        self.min_rejected_bytes.set(smallest);
                    }
                    let splits = error.is_message_too_large()
                        || (self.policy.isolates_invalid_records && error.is_invalid_argument());
                    match part.halves(self.contract).filter(|_| splits) {
                        Some([first, second]) => parts.extend([second, first]),
                        None if splits => {
                            self.state
                                .record_rejected_by_status(&part, self.contract, error);
                        }
                        None => self.state.record_failed(&part, error, attempts),
                    }
                }
            }
        }
    }

    /// Sends one request message until the server answers with a response code, or until no retry
    /// is left. Returns the response code.
    async fn send_with_retries(&self, part: &Batch) -> Result<i32, RequestError> {
        let mut attempts = AttemptCounter::default();
        let mut is_retry = false;
        loop {
            let error = match self.attempt(part, is_retry).await {
                Ok(code) => return Ok(code),
                Err(AttemptError::Stopped) => return Err(RequestError::Stopped),
                Err(AttemptError::Failed(error)) => error,
            };
            is_retry |= !matches!(error, CallError::NotSent { .. });
            let decision = attempts.count_failure(decide_call_retry(&error));
            if decision == RetryDecision::Transparent {
                continue;
            }
            if decision != RetryDecision::Never {
                self.throttle.count_failure();
            }
            let attempts_so_far = attempts.total();
            let delay = match self.policy.retry_delay(decision, attempts) {
                None => {
                    return Err(RequestError::Failed {
                        error,
                        attempts: attempts_so_far,
                    });
                }
                Some(_) if decision == RetryDecision::Backoff && self.throttle.is_throttled() => {
                    self.policy.max_backoff()
                }
                Some(delay) => delay,
            };
            let failure = AttemptFailure::Call {
                error,
                attempts: attempts_so_far,
            };
            self.state.pause_before_retry(failure, delay).await?;
        }
    }

    /// Makes one attempt to send a request message and returns the response code.
    async fn attempt(&self, part: &Batch, is_retry: bool) -> Result<i32, AttemptError> {
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
            return Err(AttemptError::Stopped);
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
            Ok(Some(Ok(Err(error)))) => Err(AttemptError::Failed(error)),
            Ok(Some(Err(_)) | None) => Err(AttemptError::Failed(CallError::Panicked)),
            Err(DeliveryStopped) => Err(AttemptError::Stopped),
        };
        if let Err(AttemptError::Failed(CallError::NotSent { .. })) = result {
            rate_permit.into_iter().for_each(RatePermit::cancel);
        } else {
            state.count_attempt(is_retry);
        }
        if let Err(AttemptError::Failed(error)) = &result
            && error.is_end_of_connection()
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
