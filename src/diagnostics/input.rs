//! Failures and warnings about the input as a whole. [`super::problem`] describes single problems.

use super::{failure::Failure, format::count_noun, problem::describe_problem};
use crate::input::{Problem, ProblemClass, ProblemKind, ValidatedInput, ValidationCounts};

const CHECK_INPUT: &str = "check that the input is the one that was meant";

/// Returns the failure for an input with invalid records or unreadable files. Each problem is a
/// cause. `skipped_action` is a participle for the action that was not performed, such as "sent" in
/// "nothing was sent".
pub(crate) fn input_refused(
    counts: &ValidationCounts,
    problems: &[Problem],
    skipped_action: &str,
) -> Failure {
    let is_too_late = |problem: &Problem| matches!(problem.kind, ProblemKind::ReadStopped);
    let is_too_late = !problems.is_empty() && problems.iter().all(is_too_late);
    let message = if is_too_late {
        "the input could not be read in the time that --max-time gives".to_owned()
    } else {
        summarize_counts(counts)
    };
    let mut failure = Failure::input(format!("{message}; nothing was {skipped_action}"));
    for problem in problems {
        failure = failure.with_cause(describe_problem(problem));
    }
    let total = counts.invalid + counts.unreadable_inputs;
    let hidden = total.saturating_sub(problems.len() as u64);
    if hidden > 0 {
        failure = failure.with_cause(format!("and {hidden} more"));
    }
    failure.with_hint(if is_too_late {
        "--max-time gives it longer; where it is a pipe, check what writes it"
    } else if hidden > 0 {
        "mend the input; --max-errors N shows more of it"
    } else {
        "mend the input and run it again"
    })
}

fn summarize_counts(counts: &ValidationCounts) -> String {
    let files = format!(
        "{} can't be read to the end",
        count_noun(counts.unreadable_inputs, "input")
    );
    let records = format!(
        "{} of {} invalid ({})",
        counts.invalid,
        count_noun(counts.read, "record"),
        summarize_classes(counts)
    );
    match (counts.invalid, counts.unreadable_inputs) {
        (0, _) => files,
        (_, 0) => records,
        (_, _) => format!("{files}, {records}"),
    }
}

fn summarize_classes(counts: &ValidationCounts) -> String {
    let classes = counts.by_class.iter().map(|(class, count)| match class {
        ProblemClass::Unreadable => format!("{count} unreadable"),
        ProblemClass::Malformed => format!("{count} malformed"),
        ProblemClass::InvalidToken => count_noun(*count, "bad token"),
        ProblemClass::InvalidTime => count_noun(*count, "bad time"),
        ProblemClass::ConflictingDuplicate => count_noun(*count, "conflicting duplicate"),
        ProblemClass::TooLarge => format!("{count} too large"),
    });
    classes.collect::<Vec<_>>().join(", ")
}

/// Returns the failure for an empty input if `--fail-on-empty` was given.
pub(crate) fn input_empty() -> Failure {
    Failure::input("the input holds no record; nothing was sent")
        .with_hint("without --fail-on-empty this is no error")
}

/// Returns the failure for an input with too few or too many valid records. `option` is
/// `--min-records` or `--max-records`, and `limit` is the value of the option.
pub(crate) fn record_count_refused(valid: u64, option: &str, limit: u64) -> Failure {
    Failure::input(format!(
        "{} would be pushed, {option} {limit} does not allow it; nothing was sent",
        count_noun(valid, "record")
    ))
    .with_hint(CHECK_INPUT)
}

/// Returns the failure for an input that changes more expiration times in the ledger than
/// `--max-changes` allows. `limit` is the value of the option, which may be a percentage. `allowed`
/// is the number of changes that `limit` allows for this input.
pub(crate) fn too_many_changes(changed: u64, allowed: u64, limit: &str) -> Failure {
    Failure::input(format!(
        "{} of tokens in the ledger would change, --max-changes {limit} allows {allowed}; nothing was sent",
        count_noun(changed, "time")
    ))
    .with_hint(format!("{CHECK_INPUT}; a larger --max-changes lets it through"))
}

/// Returns the failure for an input in which `shortened` expiration times are earlier than in the
/// ledger. Each example describes one of the shortened expiration times.
pub(crate) fn expirations_shortened(shortened: u64, examples: Vec<String>) -> Failure {
    let failure = Failure::input(format!(
        "{} earlier than in the ledger, --refuse-shortened does not allow it; nothing was sent",
        count_noun(shortened, "expire time")
    ));
    examples
        .into_iter()
        .fold(failure, Failure::with_cause)
        .with_hint(format!(
            "{CHECK_INPUT}; without --refuse-shortened it is sent"
        ))
}

/// Returns the failure for a validated input that could not be read again: the input changed or
/// became unreadable, or the deadline passed.
pub(crate) fn input_changed(problem: &Problem) -> Failure {
    let (message, hint) = match problem.kind {
        ProblemKind::ReadStopped => (
            "the input was not read again before --max-time had passed; nothing more was sent",
            "--max-time gives the run longer",
        ),
        ProblemKind::Unreadable(_) => (
            "the input can't be read again after it was validated; nothing more was sent",
            "run it again once it can be read",
        ),
        _ => (
            "the input changed after it was validated; nothing more was sent",
            "run it again when nobody writes the file any more",
        ),
    };
    Failure::input(message)
        .with_cause(describe_problem(problem))
        .with_hint(hint)
}

/// Returns the warnings about a valid input.
pub(crate) fn input_warnings(validated: &ValidatedInput) -> Vec<String> {
    let mut warnings = Vec::new();
    if validated.expirations.past > 0 {
        warnings.push(format!(
            "{} already passed",
            count_noun(validated.expirations.past, "expire time")
        ));
    }
    if validated.counts.duplicate > 0 {
        warnings.push(format!(
            "{} left out, each token is sent once",
            count_noun(validated.counts.duplicate, "duplicate")
        ));
    }
    warnings
}
