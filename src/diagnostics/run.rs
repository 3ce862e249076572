//! Failures that end a whole run: a signal, the time limit, and records that were not acknowledged.

use std::time::Duration;

use tonic::Code;

use super::{failure::Failure, format::count_noun};
use crate::{client::CallError, input::FilePosition, record::MaskedToken, signals::Signal};

const RUN_AGAIN: &str = "run the command again: sending a record twice is safe";
const INCREASE_MAX_TIME: &str = "increase --max-time";

/// Returns the failure for a push that a signal ended. `cause` is a failure that occurred in
/// addition to the signal, if there is one.
pub(crate) fn push_interrupted(signal: Signal, unsent: u64, cause: Option<Failure>) -> Failure {
    let name = signal_name(signal);
    let failure = match unsent {
        0 => Failure::interrupted(
            signal,
            format!("interrupted by {name}; all records were sent"),
        ),
        unsent => {
            let unsent = count_noun(unsent, "record");
            Failure::interrupted(signal, format!("interrupted by {name}; {unsent} unsent"))
                .with_hint(RUN_AGAIN)
        }
    };
    failure.and(cause)
}

/// Returns the note for a push that a signal stops while requests are in flight.
pub(crate) fn describe_open_requests(signal: Signal, open_requests: usize) -> String {
    let (name, requests) = (
        signal_name(signal),
        count_noun(open_requests as u64, "request"),
    );
    format!(
        "interrupted by {name}; waiting for {requests} in flight (a second signal stops at once)"
    )
}

/// Returns the failure for a command that a signal ended at a time when no records were being sent.
pub(crate) fn command_interrupted(signal: Signal) -> Failure {
    Failure::interrupted(signal, format!("interrupted by {}", signal_name(signal)))
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
    let passed = format!("--max-time {limit:?} passed");
    let failure = match (in_request, last) {
        (true, last) => {
            let message = format!("{passed} during a gRPC call to \"{server}\"");
            Failure::rpc(Code::DeadlineExceeded, message).and(last)
        }
        (false, Some(last)) => last.context(format!("{passed} before a retry")),
        (false, None) => Failure::unreachable(format!("{passed} while connecting to \"{server}\"")),
    };
    failure.with_hint(INCREASE_MAX_TIME)
}

/// Returns the failure for a wait or a reading before the first request that `--max-time` ended.
pub(crate) fn max_time_passed_before_requests(limit: Duration, cause: Failure) -> Failure {
    let message = format!("--max-time {limit:?} passed before the first request");
    Failure::internal_without_cause(message)
        .with_hint(INCREASE_MAX_TIME)
        .and(cause)
}

/// Returns the failure for responses with codes other than `ok_codes`. `codes` are these other
/// codes.
pub(crate) fn unexpected_response_codes(server: &str, codes: &[i32], ok_codes: &[i32]) -> Failure {
    let list = |codes: &[i32]| {
        let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
        codes.join(", ")
    };
    let noun = if codes.len() == 1 { "code" } else { "codes" };
    let message = format!("\"{server}\" answered with response {noun} {}", list(codes));
    let success = format!("response codes that mean success: {}", list(ok_codes));
    let failure = Failure::response_code(message).with_cause(success);
    // The first `--ok-code` replaces the default, which is code 0.
    let accepting = |codes: &[i32]| {
        let codes = ok_codes.iter().chain(codes);
        let options: Vec<_> = codes.map(|code| format!("--ok-code {code}")).collect();
        options.join(" ")
    };
    failure.with_hint(if codes.contains(&0) {
        let options = accepting(&[0]);
        format!("pass {options} if code 0 means success as well")
    } else {
        let options = accepting(codes);
        format!(
            "ask the server's operator what the code means; if it means success, pass {options}"
        )
    })
}

/// Returns the failure for a push in which the server acknowledged only some of the `total`
/// records. `cause` is the failure because of which the other records were not acknowledged.
pub(crate) fn partially_acknowledged(acknowledged: u64, total: u64, cause: Failure) -> Failure {
    let hint = match &cause.hint {
        Some(hint) if hint.contains("run the command again") => {
            format!("{hint}; sending a record twice is safe")
        }
        Some(hint) => format!("{hint}; {RUN_AGAIN}"),
        None => RUN_AGAIN.to_owned(),
    };
    Failure::partial(format!("{acknowledged} of {total} records acknowledged"))
        .with_hint(hint)
        .and(cause)
}

/// Adds the number of records that the server may have applied, although no response says so.
pub(crate) fn with_unknown_outcomes(failure: Failure, records: u64) -> Failure {
    if records == 0 {
        return failure;
    }
    let records = count_noun(records, "record");
    failure.with_cause(format!(
        "outcome unknown for {records}, which the server may have applied"
    ))
}

/// Adds a rejected record to the causes of a failure: its position in the input, its masked token
/// and the reason for the rejection.
pub(crate) fn with_rejected_record(
    failure: Failure,
    token: &[u8],
    position: Option<FilePosition>,
    error: &CallError,
) -> Failure {
    let rejection = format!("{}: rejected: {error}", MaskedToken(token));
    let failure = failure.with_cause(match position {
        Some(position) => format!("{position}: {rejection}"),
        None => rejection,
    });
    match error {
        CallError::TooLarge { .. } => {
            failure.with_hint("ask the server's operator to accept larger messages")
        }
        _ => failure,
    }
}

/// Returns the failure for a rehearsal whose receiver did not store exactly the records of the
/// input. `records` is the number of records that differ.
pub(crate) fn rehearsal_differs(records: u64) -> Failure {
    bug(&format!(
        "the rehearsal's receiver differs from the input in {}",
        count_noun(records, "record")
    ))
}

/// Returns the failure for a run whose record counts do not add up.
pub(crate) fn counts_inconsistent(counts: &str) -> Failure {
    bug(&format!("record counts do not add up: {counts}"))
}

fn bug(what: &str) -> Failure {
    Failure::internal_without_cause(format!("internal error (bug): {what}; please report it"))
}
