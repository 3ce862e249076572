//! Failures that end a whole run: a signal, the time limit, and records that were not acknowledged.

use std::time::Duration;

use tonic::Code;

use super::{
    call::summarize_call_error,
    failure::Failure,
    format::{count_noun, format_duration},
};
use crate::{client::CallError, input::FilePosition, record::MaskedToken, signals::Signal};

const REPORT_BUG: &str = "this is a defect of the program: please report it";

/// Returns the failure for a push that a signal ended. `unsent` is the number of unsent records.
/// `cause` is a failure that occurred in addition to the signal, if there is one.
pub(crate) fn push_interrupted(signal: Signal, unsent: u64, cause: Option<Failure>) -> Failure {
    let signal_name = signal_name(signal);
    let message = match unsent {
        0 => format!("{signal_name} came, and all that was still open was answered"),
        unsent => format!(
            "{signal_name} ended the push, {} unsent",
            count_noun(unsent, "record")
        ),
    };
    Failure::interrupted(signal, message)
        .with_hint("run it again: what was acknowledged can be sent twice without harm")
        .and(cause)
}

/// Returns the failure for a command that a signal ended at a time when no records were being sent.
pub(crate) fn command_interrupted(signal: Signal) -> Failure {
    let message = format!("{} came before the end", signal_name(signal));
    Failure::interrupted(signal, message)
}

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Hangup => "SIGHUP",
        Signal::Interrupt => "SIGINT",
        Signal::Terminate => "SIGTERM",
    }
}

/// Returns the failure for a run that `--max-time` ended. `in_request` is `false` if the run was
/// still connecting or was waiting for a retry. `last` is the last failure after which a retry was
/// scheduled, if there is one.
pub(crate) fn max_time_passed(
    server: &str,
    limit: Duration,
    in_request: bool,
    last: Option<Failure>,
) -> Failure {
    let passed = format!("--max-time {} passed", format_duration(limit));
    let in_request_failure = || {
        let message = format!("{server}: {passed} before all was answered");
        Failure::rpc(Code::DeadlineExceeded, message)
    };
    let failure = match (in_request, last) {
        (true, Some(last)) => in_request_failure().and(last),
        (true, None) => in_request_failure(),
        (false, Some(last)) => last.context(format!("{server}: {passed}")),
        (false, None) => Failure::unreachable(format!("{server} could not be reached: {passed}")),
    };
    failure.with_hint("--max-time gives the run longer")
}

/// Returns the failure for responses with codes other than `ok_codes`. `codes` are these other
/// codes.
pub(crate) fn unexpected_response_codes(server: &str, codes: &[i32], ok_codes: &[i32]) -> Failure {
    let list = |codes: &[i32]| {
        let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
        codes.join(", ")
    };
    Failure::response_code(format!("{server} answered with code {}", list(codes)))
        .with_cause(format!("only {} means success (--ok-code)", list(ok_codes)))
        .with_hint(
            "ask whoever runs the server what its code means; --ok-code N takes N for success",
        )
}

/// Returns the failure for a push in which the server acknowledged only some of the `total`
/// records. `cause` is the failure because of which the other records were not acknowledged.
pub(crate) fn partially_acknowledged(acknowledged: u64, total: u64, cause: Failure) -> Failure {
    let hint = match &cause.hint {
        Some(hint) => format!("{hint}; running it again is safe"),
        None => "run it again: it is safe".to_owned(),
    };
    Failure::partial(format!(
        "{acknowledged} of {total} records were acknowledged, the others were not"
    ))
    .with_hint(hint)
    .and(cause)
}

/// Adds a rejected record to the causes of a failure: its position in the input, its masked token
/// and the reason for the rejection.
pub(crate) fn with_rejected_record(
    failure: Failure,
    token: &[u8],
    position: Option<FilePosition>,
    error: &CallError,
) -> Failure {
    let rejection = format!("rejected: {}", summarize_call_error(error));
    let token = MaskedToken(token);
    let failure = failure.with_cause(match position {
        Some(position) => format!("{position}: {token}: {rejection}"),
        None => format!("{token}: {rejection}"),
    });
    if error.is_message_too_large() {
        return failure
            .with_hint("the server takes no message as large as that record: ask whoever runs it");
    }
    failure
}

/// Returns the failure for a rehearsal whose receiver did not store exactly the records of the
/// input. `records` is the number of records that differ.
pub(crate) fn rehearsal_differs(records: u64) -> Failure {
    Failure::internal_without_cause(format!(
        "the rehearsal's receiver differs from the input in {}",
        count_noun(records, "record")
    ))
    .with_hint(REPORT_BUG)
}

/// Returns the failure for a run whose record counts do not add up.
pub(crate) fn counts_inconsistent(counts: &str) -> Failure {
    Failure::internal_without_cause(format!("the counts do not add up: {counts}"))
        .with_hint(REPORT_BUG)
}
