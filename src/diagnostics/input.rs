//! Failures and warnings about the input as a whole.

use std::collections::HashSet;

use super::{
    failure::Failure,
    format::{count_noun, format_timestamp},
    problem::{InputProblem, problem_hint},
};
use crate::input::{Problem, ProblemKind, StreamError, ValidatedInput, ValidationCounts};

/// Returns the failure for an input with invalid records or unreadable files. `skipped_action` is a
/// participle for the action that was not performed, such as "sent" in "nothing was sent".
pub(crate) fn input_refused(
    counts: &ValidationCounts,
    problems: &[Problem],
    skipped_action: &str,
) -> Failure {
    let total = counts.invalid + counts.unreadable_inputs;
    if let ([problem], 1) = (problems, total)
        && problem.kind.is_outside_input()
    {
        let mut failure = Failure::input(problem.to_string());
        failure.hint = problem_hint(&problem.kind);
        // The text shows a message only once.
        failure.problems.push(InputProblem {
            message: failure.message.clone(),
            ..problem.into()
        });
        return failure;
    }
    let message = summarize_counts(counts);
    let mut failure = Failure::input(format!("{message}; nothing was {skipped_action}"));
    failure.problems = problems.iter().map(InputProblem::from).collect();
    match total.saturating_sub(problems.len() as u64) {
        0 => failure,
        hidden => failure.with_cause(format!("{} not shown", count_noun(hidden, "more problem"))),
    }
}

fn summarize_counts(counts: &ValidationCounts) -> String {
    let files = format!("{} refused", count_noun(counts.unreadable_inputs, "input"));
    let classes: Vec<_> = counts
        .by_class
        .iter()
        .map(|(class, count)| format!("{class}: {count}"))
        .collect();
    let records = format!(
        "{} of {} invalid ({})",
        counts.invalid,
        count_noun(counts.read, "record"),
        classes.join(", ")
    );
    match (counts.invalid, counts.unreadable_inputs) {
        (0, _) => files,
        (_, 0) => records,
        (_, _) => format!("{files}, {records}"),
    }
}

pub(crate) fn input_empty() -> Failure {
    Failure::input("input has no records (--fail-on-empty)")
}

/// Returns the failure for an input with too few or too many valid records. `option` is
/// `--min-records` or `--max-records`, and `limit` is the value of the option.
pub(crate) fn record_count_refused(valid: u64, option: &str, limit: u64) -> Failure {
    Failure::input(format!(
        "found {}, but {option} is {limit}; nothing was sent",
        count_noun(valid, "record")
    ))
}

/// Returns the failure for an input that changes more expiration times in the ledger than
/// `--max-changes` allows. `limit` is the value of the option, which may be a percentage. `allowed`
/// is the number of changes that `limit` allows for this input. Each example describes one of the
/// changes.
pub(crate) fn too_many_changes(
    changed: u64,
    allowed: u64,
    limit: &str,
    examples: Vec<InputProblem>,
) -> Failure {
    let failure = Failure::input(format!(
        "{} in the ledger would change, but --max-changes {limit} allows {allowed}",
        count_noun(changed, "expiration time")
    ));
    with_examples(failure, changed, examples).with_hint(format!(
        "pass --max-changes {changed} if the changes are right"
    ))
}

/// Returns the failure for an input that lacks more tokens of the ledger than `--max-missing`
/// allows. `limit` and `allowed` are as for [`too_many_changes`], and `times` are some expiration
/// times of the missing tokens: the ledger has only digests of the tokens.
pub(crate) fn too_many_missing(
    missing: u64,
    known: u64,
    allowed: u64,
    limit: &str,
    times: &[u32],
) -> Failure {
    let failure = Failure::input(format!(
        "{}, but --max-missing {limit} allows {allowed}",
        describe_missing(missing, known)
    ));
    let times = times.iter().map(|time| {
        let time = format_timestamp((*time).into());
        InputProblem::without_place(format!("missing token that expires {time}"))
    });
    with_examples(failure, missing, times.collect()).with_hint(format!(
        "pass --max-missing {missing} if the input is complete"
    ))
}

pub(crate) fn describe_missing(missing: u64, known: u64) -> String {
    let known = count_noun(known, "token");
    format!("the input lacks {missing} of {known} in the ledger for this server")
}

/// Returns the failure for an input in which `shortened` expiration times are earlier than in the
/// ledger. Each example describes one of the shortened expiration times.
pub(crate) fn expirations_shortened(shortened: u64, examples: Vec<InputProblem>) -> Failure {
    let failure = Failure::input(format!(
        "{} earlier than in the ledger (--refuse-shortened)",
        count_noun(shortened, "expiration time")
    ));
    with_examples(failure, shortened, examples)
}

/// Combines the failures of all guards that the input violates. An example that two of them have is
/// shown once.
pub(crate) fn guards_violated(failures: Vec<Failure>) -> Option<Failure> {
    let combined = failures.into_iter().reduce(|mut first, other| {
        first.message = format!("{}; {}", first.message, other.message);
        first.causes.extend(other.causes);
        let hints = [first.hint, other.hint].into_iter().flatten();
        first.hint = hints.reduce(|first, other| format!("{first}; {other}"));
        let shown: HashSet<_> = first.problems.iter().cloned().collect();
        let is_new = |problem: &InputProblem| !shown.contains(problem);
        first
            .problems
            .extend(other.problems.into_iter().filter(is_new));
        first
    })?;
    let message = format!("{}; nothing was sent", combined.message);
    Some(Failure {
        message,
        ..combined
    })
}

fn with_examples(failure: Failure, total: u64, examples: Vec<InputProblem>) -> Failure {
    let hidden = total.saturating_sub(examples.len() as u64);
    let failure = Failure {
        problems: examples,
        ..failure
    };
    if hidden == 0 {
        return failure;
    }
    failure.with_cause(format!(
        "{hidden} more not shown; --max-errors N shows more"
    ))
}

/// Returns the failure for a validated input that could not be read again.
pub(crate) fn input_not_read_again(problem: &Problem) -> Failure {
    let failure = Failure::input(format!("{problem}; the command stopped"));
    match problem.kind {
        ProblemKind::Stream(StreamError::FileChanged) => {
            failure.with_hint("wait until the file is complete")
        }
        _ => failure,
    }
}

/// Returns the warnings about the input as a whole.
pub(crate) fn input_warnings(validated: &ValidatedInput) -> Vec<String> {
    let mut warnings = Vec::new();
    let hidden = validated.warning_count - validated.warnings.len();
    if hidden > 0 {
        let tokens = count_noun(hidden as u64, "more token");
        warnings.push(format!("{tokens} may be missing values or rounded numbers"));
    }
    let past = validated.expirations.past;
    if past > 0 {
        warnings.push(format!(
            "{} in the past",
            count_noun(past, "expiration time")
        ));
    }
    let duplicates = validated.counts.duplicate;
    if duplicates > 0 {
        let times = if validated.counts.has_different_times {
            " (with different expiration times)"
        } else {
            ""
        };
        warnings.push(format!(
            "{} skipped{times}; each token is sent once",
            count_noun(duplicates, "duplicate")
        ));
    }
    warnings
}
