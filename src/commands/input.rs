//! Reading and validating an input, which is the same for `push` and `check`.
//!
//! A *guard* is a condition that refuses an input even if all its records are valid, such as
//! `--max-records`.

use super::{clock::unix_now, reactor::TimeLimit};
use crate::{
    contract::{Contract, EncodeError},
    diagnostics::{self, Failure},
    input::{
        ContractCheck, ContractViolation, DuplicatePolicy, InputOptions, InputSource, ReadLimits,
        ValidatedInput, ValidationRules, validate,
    },
    record::Record,
    report::{self, Summary},
    signals::Signals,
    terminal::Terminal,
};

/// The input options after parsing.
#[derive(Clone, Debug)]
pub(crate) struct InputPlan {
    pub(crate) sources: Vec<InputSource>,
    pub(crate) options: InputOptions,
    /// The maximum number of problems that the error message shows.
    pub(crate) max_errors: usize,
    pub(crate) guards: InputGuards,
}

/// The guards, which refuse an input even if its records are well-formed.
#[derive(Clone, Debug)]
pub(crate) struct InputGuards {
    pub(crate) on_duplicate: DuplicatePolicy,
    /// Whether an expiration time in the past is an error.
    pub(crate) refuses_past: bool,
    /// The minimum number of records after duplicates are removed.
    pub(crate) min_records: Option<u64>,
    /// The maximum number of records after duplicates are removed.
    pub(crate) max_records: Option<u64>,
    pub(crate) refuses_empty: bool,
}

/// The limits on requests. A record that fits into no request is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLimits<'c> {
    pub(super) contract: &'c Contract,
    /// The maximum size of an encoded request, in bytes.
    pub(super) max_bytes: usize,
}

impl RequestLimits<'_> {
    /// Returns the maximum length of a token, in bytes, for which [`Self::find_violation`] can be
    /// skipped: a record with such a token fits into a request, whatever its expiration time is.
    /// Returns 0 if the contract restricts values, because then every record must be checked.
    fn unchecked_token_bytes(self) -> usize {
        if self.contract.restricts_values() {
            return 0;
        }
        self.max_bytes.saturating_sub(Contract::MAX_FRAMING_BYTES)
    }

    /// Returns the reason why no request can hold the record, or `None` if a request can.
    fn find_violation(self, record: &Record<'_>) -> Option<ContractViolation> {
        if let Some(error) = self.contract.encode_error(record) {
            return Some(match error {
                EncodeError::TokenNotUtf8 => ContractViolation::TokenNotUtf8,
                EncodeError::ExpireTimeTooLate(latest) => {
                    ContractViolation::ExpireTimeTooLate { latest }
                }
            });
        }
        let max_bytes = self.max_bytes;
        // The token length plus `MAX_FRAMING_BYTES` is an upper bound on the encoded length. The
        // bound is fast to compute, and is within `max_bytes` for nearly all records. For all other
        // records, the exact encoded length decides.
        if record.token.as_bytes().len() + Contract::MAX_FRAMING_BYTES <= max_bytes {
            return None;
        }
        let bytes = self.contract.encoded_len(record);
        (bytes > max_bytes).then_some(ContractViolation::RecordTooLarge { bytes, max_bytes })
    }
}

/// Reads and validates the whole input, and adds its record counts to the summary. Checks that each
/// record fits into a request only if `request_limits` are given.
///
/// # Errors
///
/// A record is invalid, an input cannot be read, a guard refuses the input, or a signal or the time
/// limit ends the reading.
pub(super) fn read_input(
    plan: &InputPlan,
    request_limits: Option<RequestLimits<'_>>,
    time_limit: Option<TimeLimit>,
    signals: &Signals,
    summary: &mut Summary,
    terminal: Terminal,
) -> Result<ValidatedInput, Failure> {
    let find_violation =
        |record: &Record<'_>| request_limits.and_then(|limits| limits.find_violation(record));
    let rules = ValidationRules {
        now: u64::try_from(unix_now()).unwrap_or(0),
        refuses_past: plan.guards.refuses_past,
        on_duplicate: plan.guards.on_duplicate,
        max_problems: plan.max_errors,
        contract_check: request_limits.map(|limits| ContractCheck {
            unchecked_token_bytes: limits.unchecked_token_bytes(),
            find_violation: &find_violation,
        }),
        read_limits: ReadLimits {
            deadline: time_limit.map(|limit| limit.deadline),
            stop: Some(signals.wake_stream()),
        },
    };
    let validated = validate(&plan.sources, plan.options.clone(), &rules);
    for (name, format) in validated.detected_formats() {
        terminal.detail(1, || report::describe_format(name, format));
    }
    summary.add_input(&validated);
    if let Some(signal) = signals.received() {
        return Err(diagnostics::command_interrupted(signal));
    }
    for warning in diagnostics::input_warnings(&validated) {
        terminal.warning(&warning);
    }
    if validated.has_problems() {
        return Err(diagnostics::input_refused(
            &validated.counts,
            &validated.problems,
            "sent",
        ));
    }
    plan.guards.check(&validated)?;
    if validated.counts.read == 0 {
        terminal.note("the input holds no record: nothing to do");
    }
    Ok(validated)
}

impl InputGuards {
    fn check(&self, validated: &ValidatedInput) -> Result<(), Failure> {
        let valid = validated.counts.valid();
        if self.refuses_empty && validated.counts.read == 0 {
            return Err(diagnostics::input_empty());
        }
        if let Some(limit) = self.min_records.filter(|limit| valid < *limit) {
            return Err(diagnostics::record_count_refused(
                valid,
                "--min-records",
                limit,
            ));
        }
        if let Some(limit) = self.max_records.filter(|limit| valid > *limit) {
            return Err(diagnostics::record_count_refused(
                valid,
                "--max-records",
                limit,
            ));
        }
        Ok(())
    }
}
