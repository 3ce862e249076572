//! Reading and validating an input, which is the same for `push` and `check`.

use std::io::{self, IsTerminal};

use jiff::Timestamp;

use super::interrupts::Interrupts;
use crate::{
    contract::Contract,
    diagnostics::{self, Failure},
    input::{
        ContractCheck, DuplicatePolicy, InputOptions, InputSource, ValidatedInput,
        ValidationCounts, ValidationRules, validate,
    },
    record::{ContractViolation, Record},
    report::Summary,
    terminal::Terminal,
};

/// The input options after parsing.
#[derive(Clone, Debug)]
pub(crate) struct InputPlan {
    pub(crate) sources: Vec<InputSource>,
    pub(crate) options: InputOptions,
    pub(crate) max_errors: usize,
    pub(crate) on_duplicate: DuplicatePolicy,
    pub(crate) refuses_past: bool,
    /// Counted after duplicates are removed, as `max_records` is.
    pub(crate) min_records: Option<u64>,
    pub(crate) max_records: Option<u64>,
    pub(crate) refuses_empty: bool,
}

impl InputPlan {
    /// Refuses an input whose number of records is wrong, even if all its records are valid.
    fn check_counts(&self, counts: &ValidationCounts) -> Result<(), Failure> {
        if self.refuses_empty && counts.read == 0 {
            return Err(diagnostics::input_empty());
        }
        let valid = counts.valid();
        let refused = |option, limit| diagnostics::record_count_refused(valid, option, limit);
        match (self.min_records, self.max_records) {
            (Some(limit), _) if valid < limit => Err(refused("--min-records", limit)),
            (_, Some(limit)) if valid > limit => Err(refused("--max-records", limit)),
            _ => Ok(()),
        }
    }
}

/// Returns the check that a request of at most `max_bytes` bytes can hold a record.
pub(super) fn contract_check(contract: &Contract, max_bytes: usize) -> ContractCheck<'_> {
    // The token length plus `MAX_FRAMING_BYTES` is an upper bound on the request's length. The bound
    // is fast to compute, and is within `max_bytes` for nearly all records.
    let always_fits = max_bytes.saturating_sub(Contract::MAX_FRAMING_BYTES);
    let find_violation = move |record: &Record<'_>| {
        if let Some(violation) = contract.find_violation(record) {
            return Some(violation);
        }
        if record.token.as_bytes().len() <= always_fits {
            return None;
        }
        let bytes = contract.request_len(record);
        (bytes > max_bytes).then_some(ContractViolation::RecordTooLarge { bytes, max_bytes })
    };
    ContractCheck {
        unchecked_token_bytes: if contract.restricts_values() {
            0
        } else {
            always_fits
        },
        find_violation: Box::new(find_violation),
    }
}

/// Reads and validates the input, and prints how it is read.
pub(super) fn validate_input(
    sources: &[InputSource],
    options: &InputOptions,
    rules: &ValidationRules<'_>,
    terminal: Terminal,
) -> ValidatedInput {
    if sources.contains(&InputSource::Stdin) && io::stdin().is_terminal() {
        terminal.note("reading standard input; press Ctrl-D to end the input, or pass FILE");
    }
    let validated = validate(sources, options.clone(), rules);
    for (name, format) in validated.detected_formats() {
        terminal.detail(1, || format!("{name}: {format}"));
    }
    validated
}

/// Reads and validates the whole input, and adds its record counts to the summary.
pub(super) fn read_input(
    plan: &InputPlan,
    contract_check: Option<ContractCheck<'_>>,
    interrupts: &Interrupts,
    summary: &mut Summary,
    terminal: Terminal,
) -> Result<ValidatedInput, Failure> {
    let rules = ValidationRules {
        now: Timestamp::now().as_second().try_into().unwrap_or(0),
        refuses_past: plan.refuses_past,
        on_duplicate: plan.on_duplicate,
        max_problems: plan.max_errors,
        contract_check,
        read_limits: interrupts.read_limits(),
    };
    let validated = validate_input(&plan.sources, &plan.options, &rules, terminal);
    summary.add_input(&validated);
    if let Some(failure) = interrupts.failure() {
        return Err(failure);
    }
    for problem in &validated.warnings {
        terminal.input_warning(&problem.into());
    }
    for warning in diagnostics::input_warnings(&validated) {
        terminal.warning(&warning);
    }
    if validated.has_problems() {
        let (counts, problems) = (&validated.counts, &validated.problems);
        let failure = diagnostics::input_refused(counts, problems, "sent");
        return Err(if failure.causes.is_empty() {
            failure
        } else {
            failure.with_hint("pass --max-errors N to show more")
        });
    }
    plan.check_counts(&validated.counts)?;
    if validated.counts.read == 0 {
        terminal.note("the input has no records; nothing to do");
    }
    Ok(validated)
}
