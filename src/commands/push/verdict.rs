//! The verdict on a push: success, or the failure with which the push ends.

use super::{context::Run, plan::Plan};
use crate::{
    delivery::{DeliveryOutcome, RejectedRecord, StopReason},
    diagnostics::{self, Failure},
    input::ValidatedInput,
};

/// Returns `Ok` only if the server acknowledged every selected record.
pub(super) fn judge(
    run: &Run<'_>,
    mut outcome: DeliveryOutcome,
    input: &mut ValidatedInput,
) -> Result<(), Failure> {
    let rejected = std::mem::take(&mut outcome.rejected_records);
    combine_failures(outcome, run)
        .map_err(|failure| with_rejected_records(failure, &rejected, input))
}

fn with_rejected_records(
    failure: Failure,
    rejected: &[RejectedRecord],
    input: &mut ValidatedInput,
) -> Failure {
    let tokens: Vec<_> = rejected.iter().map(|record| &*record.token).collect();
    let positions = input.find_positions(&tokens);
    let located = rejected.iter().zip(positions);
    located.fold(failure, |failure, (record, position)| {
        diagnostics::with_rejected_record(failure, &record.token, position, &record.error)
    })
}

/// Combines up to three failures: the failure that stopped the push, the response codes that do not
/// mean success, and the first failed request. The later failures become causes of the first one.
fn combine_failures(outcome: DeliveryOutcome, run: &Run<'_>) -> Result<(), Failure> {
    let server = &run.server.target.endpoint.to_string();
    let acknowledged = outcome.acknowledged;
    let unsent = run.summary.records.unsent;
    let selected = acknowledged + outcome.rejected + unsent;
    let ok_codes = &run.policy.ok_codes;
    let codes: Vec<i32> = outcome
        .response_codes
        .into_keys()
        .filter(|code| !ok_codes.contains(code))
        .collect();
    let code_failure = (!codes.is_empty())
        .then(|| diagnostics::unexpected_response_codes(server, &codes, ok_codes));
    let request_failure = outcome
        .request_error
        .map(|error| diagnostics::call_failed(server, &error));
    let stop_failure = match outcome.stop_reason {
        Some(StopReason::Output) => return Err(diagnostics::push_output_failed(acknowledged)),
        Some(reason) => stop_failure(reason, run.plan, server),
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

/// Returns `None` for a signal and for an output, which the caller reports itself.
fn stop_failure(reason: StopReason, plan: &Plan, server: &str) -> Option<Failure> {
    match reason {
        StopReason::Attempt(failure) => Some(diagnostics::attempt_failed(server, &failure)),
        StopReason::Input(problem) => Some(diagnostics::input_not_read_again(&problem)),
        StopReason::DeadlinePassed {
            in_request,
            last_failure,
        } => {
            let last = last_failure.map(|failure| diagnostics::attempt_failed(server, &failure));
            let max_time = plan.max_time.unwrap_or_default();
            Some(diagnostics::max_time_passed(
                server, max_time, in_request, last,
            ))
        }
        StopReason::Output | StopReason::Signal => None,
    }
}
