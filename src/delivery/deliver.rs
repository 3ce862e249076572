//! [`deliver`]: delivers the batches of a push concurrently until all are done or the push stops.

use std::pin::pin;

use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{
    batch_channel::BatchReceiver,
    batch_delivery::BatchDelivery,
    delivery_state::DeliveryState,
    outcome::{DeliveryOutcome, StopReason},
    outcome_sink::{OutcomeSink, UnacknowledgedReason},
    policy::DeliveryPolicy,
    server::Server,
};
use crate::{contract::Contract, signals::Signals};

/// Delivers every batch and returns the outcome of the push.
///
/// If a request fails for a reason that concerns only this request, the push goes on. If a request
/// or a connection fails for any other reason and is not retried, the push stops. The push also
/// stops if a signal arrives, if the input has a problem, if an output cannot be written, or at the
/// deadline. After the stop, no new attempt starts and attempts in flight finish. At the deadline,
/// attempts in flight are abandoned.
///
/// The channel of batches is dropped at the end, because the sending thread waits while it is full.
pub(crate) async fn deliver(
    mut batches: BatchReceiver,
    server: &impl Server,
    policy: &DeliveryPolicy,
    contract: &Contract,
    signals: &Signals,
    sink: &mut dyn OutcomeSink,
) -> DeliveryOutcome {
    let state = DeliveryState::new(contract, sink);
    let delivery = BatchDelivery::new(server, policy, contract, &state);
    run(&delivery, &state, policy, &mut batches, signals).await;
    report_unattempted(&state, &mut batches).await;
    state.into_outcome(signals.received())
}

async fn run<S: Server>(
    delivery: &BatchDelivery<'_, '_, S>,
    state: &DeliveryState<'_>,
    policy: &DeliveryPolicy,
    batches: &mut BatchReceiver,
    signals: &Signals,
) {
    let mut in_flight = FuturesUnordered::new();
    let mut is_input_finished = false;
    let mut signal = pin!(signals.wait());
    let mut has_signal = false;
    let mut is_past_deadline = false;
    loop {
        let takes_batches = !is_input_finished && !state.is_stopping();
        if in_flight.is_empty() && !takes_batches {
            return;
        }
        tokio::select! {
            biased;
            () = sleep_until(policy.deadline), if !is_past_deadline => {
                is_past_deadline = true;
                state.stop_at_deadline();
            }
            signal = &mut signal, if !has_signal => {
                has_signal = true;
                state.stop_at_signal(signal);
            }
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            batch = batches.recv(), if takes_batches && in_flight.len() < policy.concurrency => {
                match batch {
                    Some(Ok(batch)) => in_flight.push(delivery.deliver_batch(batch)),
                    Some(Err(problem)) => state.stop(StopReason::Input(problem)),
                    None => is_input_finished = true,
                }
            }
        }
    }
}

/// Tells the sink about the batches that were never attempted.
async fn report_unattempted(state: &DeliveryState<'_>, batches: &mut BatchReceiver) {
    // The channel carries no batch after a problem, so the loop ends at a problem.
    while state.wants_unattempted()
        && let Some(Ok(batch)) = batches.recv().await
    {
        state.count_unacknowledged(&batch, &UnacknowledgedReason::PushStopped);
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
