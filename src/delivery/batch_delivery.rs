//! [`BatchDelivery`]: delivers one batch, from its first attempt until the outcome of each record
//! is known.

use std::{cell::Cell, mem};

use tokio::task::JoinSet;

use super::{
    connection_slot::ConnectionSlot,
    delivery_state::{DeliveryPhase, DeliveryState, DeliveryStopped},
    outcome::{AttemptError, AttemptFailure},
    outcome_sink::UnacknowledgedReason,
    policy::{AttemptCounter, DeliveryPolicy},
    rate_limiter::{RateLimiter, release_after_window},
    retry_decision::{
        decide_call_retry, is_end_of_connection, is_harmless_close, is_invalid_argument,
    },
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
    rate_limiter: Option<RateLimiter>,
    /// The size in bytes of the smallest message that the server rejected as too large, or
    /// `usize::MAX` if there is no such message.
    min_rejected_bytes: Cell<usize>,
    state: &'d DeliveryState<'s>,
}

/// The reason why a request, or one attempt to send it, got no response code.
enum RequestError {
    /// The push stopped before the attempt started.
    Stopped,
    /// The push stopped before the response.
    Abandoned,
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
            rate_limiter: policy.max_records_per_second.map(RateLimiter::new),
            min_rejected_bytes: Cell::new(usize::MAX),
            state,
        }
    }

    pub(super) async fn deliver_batch(&self, batch: Batch) {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            // The server has rejected a message of the same or a smaller size as too large, so this
            // part is split without an attempt.
            if part.message.len() >= self.min_rejected_bytes.get()
                && let Some([first, second]) = part.halves(self.contract)
            {
                parts.extend([second, first]);
                continue;
            }
            let mut attempts = AttemptCounter::default();
            let reason = match self.send_with_retries(&part, &mut attempts).await {
                Ok(code) if self.policy.ok_codes.contains(&code) => {
                    self.state.count_acknowledged(&part, code);
                    continue;
                }
                Ok(code) => UnacknowledgedReason::ResponseCode(code),
                Err(RequestError::Stopped) if !attempts.is_outcome_unknown => {
                    UnacknowledgedReason::PushStopped
                }
                Err(RequestError::Stopped | RequestError::Abandoned) => {
                    UnacknowledgedReason::Abandoned
                }
                Err(RequestError::Failed(error)) if self.is_splitting(&part, &error) => {
                    if let Some([first, second]) = part.halves(self.contract) {
                        parts.extend([second, first]);
                        continue;
                    }
                    UnacknowledgedReason::Rejected(error)
                }
                Err(RequestError::Failed(error)) => {
                    self.state.stop_unless_request_specific(&error, attempts);
                    UnacknowledgedReason::RequestFailed {
                        error,
                        is_outcome_unknown: attempts.is_outcome_unknown,
                    }
                }
            };
            self.state.count_unacknowledged(&part, &reason);
        }
    }

    /// Returns whether an error concerns single records of a part, which is therefore split.
    fn is_splitting(&self, part: &Batch, error: &CallError) -> bool {
        if let CallError::TooLarge { .. } = error {
            let smallest = self.min_rejected_bytes.get().min(part.message.len());
            self.min_rejected_bytes.set(smallest);
            return true;
        }
        self.policy.isolates_invalid_records && is_invalid_argument(error)
    }

    /// Sends one request message until the server answers with a response code, or until no retry
    /// is left. Returns the response code, and counts the failed attempts.
    async fn send_with_retries(
        &self,
        part: &Batch,
        attempts: &mut AttemptCounter,
    ) -> Result<i32, RequestError> {
        let mut is_retry = false;
        let mut acknowledged = self.state.acknowledged();
        loop {
            let error = match self.attempt(part, is_retry).await {
                Err(RequestError::Failed(error)) => error,
                result => return result,
            };
            is_retry |= !matches!(error, CallError::NotSent { .. });
            attempts.is_outcome_unknown |= error.is_outcome_unknown();
            let acknowledged_before = mem::replace(&mut acknowledged, self.state.acknowledged());
            // Some proxies end each connection after a few requests, so a push with many requests in
            // flight uses many connections. Such a server is healthy while it acknowledges records.
            if is_harmless_close(&error) && acknowledged > acknowledged_before {
                attempts.forgive_transparent();
            }
            let decision = decide_call_retry(&error);
            let Some(delay) = self.policy.delay_after(decision, attempts) else {
                return Err(RequestError::Failed(error));
            };
            let failure = AttemptFailure {
                error: AttemptError::Call(error),
                attempts: attempts.total(),
            };
            self.state.pause_before_retry(failure, delay).await?;
        }
    }

    async fn attempt(&self, part: &Batch, is_retry: bool) -> Result<i32, RequestError> {
        let state = self.state;
        let prepare = async {
            let connection = self.connection.connection(self.policy, state).await?;
            let stream = connection.reserve_stream().await;
            let rate_permit = match &self.rate_limiter {
                Some(limiter) => limiter.acquire(part.record_count).await,
                None => None,
            };
            Ok::<_, DeliveryStopped>((connection, stream, rate_permit))
        };
        let prepared = state.complete_before(DeliveryPhase::Draining, prepare);
        let (connection, stream, rate_permit) = prepared.await??;
        // The call runs in a separate task, so a panic fails only this request. Dropping the
        // `JoinSet` cancels the task.
        let mut task = JoinSet::new();
        task.spawn(connection.send(part.message.clone()));
        let result = match state.finish_attempt(task.join_next()).await {
            Ok(Some(Ok(Ok(code)))) => Ok(code),
            Ok(Some(Ok(Err(error)))) => Err(RequestError::Failed(error)),
            Ok(Some(Err(_)) | None) => Err(RequestError::Failed(CallError::Panicked)),
            Err(DeliveryStopped) => Err(RequestError::Abandoned),
        };
        drop(stream);
        if !matches!(result, Err(RequestError::Failed(CallError::NotSent { .. }))) {
            rate_permit.into_iter().for_each(release_after_window);
            state.count_attempt(is_retry);
        }
        if let Err(RequestError::Failed(error)) = &result
            && is_end_of_connection(error)
        {
            self.connection.discard(&connection).await;
        }
        result
    }
}
