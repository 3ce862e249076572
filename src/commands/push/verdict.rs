//! The verdict on a push: success, or the failure with which the push ends.

use super::context::Run;
use crate::{
    delivery::{DeliveryOutcome, StopReason},
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
    let unknown = outcome.unknown;
    combine_failures(outcome, run).map_err(|failure| {
        let failure = diagnostics::with_unknown_outcomes(failure, unknown);
        let tokens: Vec<_> = rejected.iter().map(|record| &*record.token).collect();
        let located = rejected.iter().zip(input.find_positions(&tokens));
        located.fold(failure, |failure, (record, position)| {
            diagnostics::with_rejected_record(failure, &record.token, position, &record.error)
        })
    })
}

/// Combines up to three failures: the failure that stopped the push, the response codes that do not
/// mean success, and the first failed request. The later failures become causes of the first one.
fn combine_failures(outcome: DeliveryOutcome, run: &Run<'_>) -> Result<(), Failure> {
    let target = &run.server.target;
    let server = &target.endpoint.to_string();
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
        .map(|error| diagnostics::call_failed(target, &error));
    let stop_failure = match outcome.stop_reason {
        Some(StopReason::Attempt(failure)) => Some(diagnostics::attempt_failed(target, &failure)),
        Some(StopReason::Input(problem)) => Some(diagnostics::input_not_read_again(&problem)),
        Some(StopReason::DeadlinePassed {
            in_request,
            last_failure,
        }) => {
            let last = last_failure.map(|failure| diagnostics::attempt_failed(target, &failure));
            let max_time = run.plan.max_time.unwrap_or_default();
            let failure = diagnostics::max_time_passed(server, max_time, in_request, last);
            Some(failure)
        }
        // The output reports its own failure.
        Some(StopReason::Output | StopReason::Signal) | None => None,
    };
    let failures = [stop_failure, code_failure, request_failure];
    let combined = failures.into_iter().flatten().reduce(Failure::and);
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
