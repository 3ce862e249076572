//! The verdict on a push: success, or the failure with which the push ends.

use super::plan::Plan;
use crate::{
    client::{CallError, Target},
    delivery::{AttemptFailure, DeliveryOutcome, RejectedRecord, RemoteServer, StopReason},
    diagnostics::{self, Failure},
    input::ValidatedInput,
};

/// Returns `Ok` only if the server acknowledged every selected record. `selected` is the number of
/// selected records.
pub(super) fn judge(
    mut outcome: DeliveryOutcome,
    selected: u64,
    plan: &Plan,
    server: &RemoteServer<'_>,
    input: &mut ValidatedInput,
) -> Result<(), Failure> {
    let rejected = std::mem::take(&mut outcome.rejected_records);
    let input_changed = matches!(outcome.stop_reason, Some(StopReason::Input(_)));
    let server_name = server.target.endpoint.to_string();
    combine_failures(outcome, selected, plan, &server_name).map_err(|failure| {
        // If the input changed, it cannot be read again to find the tokens that must be masked. The
        // failure is returned without masking, because it quotes no text of the server.
        if input_changed {
            return failure;
        }
        let failure = without_secrets(failure, input, server.target);
        with_rejected_records(failure, &rejected, server, input)
    })
}

/// Adds each rejected record, with its position in the input, to the failure.
fn with_rejected_records(
    failure: Failure,
    rejected: &[RejectedRecord],
    server: &RemoteServer<'_>,
    input: &mut ValidatedInput,
) -> Failure {
    let records: Vec<_> = rejected
        .iter()
        .filter_map(|rejected| server.contract.decode_record(&rejected.encoded))
        .collect();
    let tokens: Vec<_> = records.iter().map(|record| record.token).collect();
    let positions = input.find_positions(&tokens);
    let located = tokens.into_iter().zip(positions).zip(rejected);
    located.fold(failure, |failure, ((token, position), rejected)| {
        diagnostics::with_rejected_record(failure, token, position, &rejected.error)
    })
}

/// Combines the failures of a push. A push has up to three failures: the failure that stopped the
/// push, the response codes that do not mean success, and the first failed request. The first
/// failure in this order becomes the result, and the later failures become its causes.
fn combine_failures(
    outcome: DeliveryOutcome,
    selected: u64,
    plan: &Plan,
    server: &str,
) -> Result<(), Failure> {
    let acknowledged = outcome.acknowledged;
    let unsent = selected - acknowledged - outcome.rejected;
    let ok_codes = &plan.policy.ok_codes;
    let codes: Vec<i32> = outcome
        .response_codes
        .into_keys()
        .filter(|code| !ok_codes.contains(code))
        .collect();
    let code_failure = (!codes.is_empty())
        .then(|| diagnostics::unexpected_response_codes(server, &codes, ok_codes));
    let input_changed = matches!(outcome.stop_reason, Some(StopReason::Input(_)));
    let request_failure = outcome.request_error.map(|error: CallError| {
        let failure = diagnostics::call_failed(server, &error);
        // The causes may quote tokens. If the input changed, the tokens cannot be read again and
        // masked, so the causes are removed.
        if input_changed {
            failure.without_causes()
        } else {
            failure
        }
    });
    let stop_failure = match outcome.stop_reason {
        Some(StopReason::Output) => return Err(diagnostics::push_output_failed(acknowledged)),
        Some(reason) => stop_failure(reason, plan, server),
        None => None,
    };
    let mut failures = [stop_failure, code_failure, request_failure]
        .into_iter()
        .flatten();
    let first = failures.next();
    let combined = first.map(|first| failures.fold(first, Failure::and));
    match (outcome.signal, combined) {
        (Some(signal), failure) => Err(diagnostics::push_interrupted(signal, unsent, failure)),
        (_, Some(failure)) if acknowledged > 0 => Err(diagnostics::partially_acknowledged(
            acknowledged,
            selected,
            failure,
        )),
        (_, Some(failure)) => Err(failure),
        (_, None) => Ok(()),
    }
}

/// Returns the failure for the reason why the push stopped. Returns `None` if a signal or an output
/// stopped the push, because the caller reports these two reasons itself.
fn stop_failure(reason: StopReason, plan: &Plan, server: &str) -> Option<Failure> {
    match reason {
        StopReason::Attempt(failure) => Some(attempt_failure(&failure, server)),
        StopReason::Input(problem) => Some(diagnostics::input_changed(&problem)),
        StopReason::DeadlinePassed {
            in_request,
            last_failure,
        } => {
            let last = last_failure.map(|failure| attempt_failure(&failure, server));
            let max_time = plan.max_time.unwrap_or_default();
            Some(diagnostics::max_time_passed(
                server, max_time, in_request, last,
            ))
        }
        StopReason::Output | StopReason::Signal => None,
    }
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

/// Masks tokens and credentials in the failure, because a server may quote a request in its error
/// message.
fn without_secrets(failure: Failure, input: &mut ValidatedInput, target: &Target) -> Failure {
    failure.masked(|masks| {
        for secret in target.metadata.secrets() {
            for mask in &mut *masks {
                mask.search_secret(&secret);
            }
        }
        let mut records = input.records();
        loop {
            let searched = records.next(|record| {
                for mask in &mut *masks {
                    mask.search_token(&record.token);
                }
            });
            match searched {
                Ok(Some(())) => {}
                Ok(None) => return true,
                // The rest of the input cannot be read, so the causes may quote unknown tokens.
                Err(_) => return false,
            }
        }
    })
}
