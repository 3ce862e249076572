//! What the outcomes of a push come to.

use super::Plan;
use crate::{
    client::{CallError, Target},
    contract::Contract,
    delivery::{AttemptFailure, DeliveryOutcome, StopReason},
    diagnostics::{self, Failure},
    input::ValidatedInput,
};

/// Nothing but every record acknowledged is a success.
pub(super) fn verdict(
    mut delivery: DeliveryOutcome,
    sends: u64,
    plan: &Plan,
    target: &Target,
    contract: &Contract,
    input: &mut ValidatedInput,
) -> Result<(), Failure> {
    let refused = std::mem::take(&mut delivery.rejected_records);
    let changed = matches!(delivery.stop_reason, Some(StopReason::Input(_)));
    judge(delivery, sends, plan, &target.endpoint.to_string()).map_err(|failure| {
        // What is wrong with the input is in this program's words, and it can't be read again.
        if changed {
            return failure;
        }
        let failure = without_secrets(failure, input, target);
        let records: Vec<_> = refused
            .iter()
            .filter_map(|rejected| contract.decode_record(&rejected.encoded))
            .collect();
        let tokens: Vec<_> = records.iter().map(|record| record.token).collect();
        let places = input.find_positions(&tokens);
        let named = tokens.into_iter().zip(places).zip(&refused);
        named.fold(failure, |failure, ((token, place), rejected)| {
            diagnostics::with_rejected_record(failure, token, place, &rejected.error)
        })
    })
}

fn judge(delivery: DeliveryOutcome, sends: u64, plan: &Plan, server: &str) -> Result<(), Failure> {
    let acknowledged = delivery.acknowledged;
    let unsent = sends - acknowledged - delivery.rejected;
    let ok_codes = &plan.policy.ok_codes;
    let codes: Vec<i32> = delivery
        .response_codes
        .into_keys()
        .filter(|code| !ok_codes.contains(code))
        .collect();
    let by_code =
        (!codes.is_empty()).then(|| diagnostics::response_codes_rejected(server, &codes, ok_codes));
    let changed = matches!(delivery.stop_reason, Some(StopReason::Input(_)));
    let refusal = delivery.request_error.map(|error: CallError| {
        let failure = diagnostics::call_failed(server, &error);
        // The tokens that it may quote can't be read again.
        if changed {
            failure.without_causes()
        } else {
            failure
        }
    });
    let end = delivery
        .stop_reason
        .and_then(|end| ended(end, plan, server));
    if let Some(Ended::Output) = end {
        return Err(diagnostics::push_output_failed(acknowledged));
    }
    let end = end.and_then(|end| match end {
        Ended::Failed(failure) => Some(failure),
        Ended::Output => None,
    });
    // The last word first; the others stand under it.
    let mut reasons = [end, by_code, refusal].into_iter().flatten();
    let first = reasons.next();
    let why = first.map(|first| reasons.fold(first, Failure::and));
    match (delivery.signal, why) {
        (Some(signal), why) => Err(diagnostics::push_interrupted(signal, unsent, why)),
        (_, Some(why)) if acknowledged > 0 => Err(diagnostics::partially_acknowledged(
            acknowledged,
            sends,
            why,
        )),
        (_, Some(why)) => Err(why),
        (_, None) => Ok(()),
    }
}

enum Ended {
    Failed(Failure),
    Output,
}

fn ended(reason: StopReason, plan: &Plan, server: &str) -> Option<Ended> {
    Some(Ended::Failed(match reason {
        StopReason::Attempt(failure) => attempt_failure(&failure, server),
        StopReason::Input(problem) => diagnostics::input_changed(&problem),
        StopReason::DeadlinePassed {
            in_request,
            last_failure,
        } => {
            let last = last_failure.map(|failure| attempt_failure(&failure, server));
            diagnostics::max_time_passed(
                server,
                plan.max_time.unwrap_or_default(),
                in_request,
                last,
            )
        }
        StopReason::Output => return Some(Ended::Output),
        StopReason::Signal => return None,
    }))
}

fn attempt_failure(failure: &AttemptFailure, server: &str) -> Failure {
    match failure {
        AttemptFailure::Call { error, attempts } => {
            diagnostics::call_failed(server, error).after_attempts(*attempts)
        }
        AttemptFailure::Connect { error, attempts } => {
            diagnostics::connection_failed(error).after_attempts(*attempts)
        }
    }
}

/// Servers quote what they complain about, and what they got was tokens and credentials.
fn without_secrets(failure: Failure, input: &mut ValidatedInput, target: &Target) -> Failure {
    failure.masked(|masks| {
        for secret in target.metadata.secrets() {
            for mask in &mut *masks {
                mask.search_secret(&secret);
            }
        }
        let mut records = input.records();
        loop {
            let looked = records.next(|record| {
                for mask in &mut *masks {
                    mask.search_token(&record.token);
                }
            });
            match looked {
                Ok(Some(())) => {}
                Ok(None) => return true,
                // The tokens that were sent are not known any more.
                Err(_) => return false,
            }
        }
    })
}
