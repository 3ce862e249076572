//! What `push` and `check` do alike, so that they can't disagree.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::{
    contract::{Contract, EncodeError},
    diagnostics::{self, Failure},
    input::{
        ContractCheck, ContractViolation, DuplicatePolicy, InputOptions, Origin, ReadLimits,
        ValidatedInput, ValidationRules, validate,
    },
    record::Record,
    report::{self, Summary},
    signals::Signals,
    terminal::Terminal,
};

/// What to read, how, and what to refuse.
#[derive(Clone, Debug)]
pub(crate) struct InputPlan {
    pub(crate) origins: Vec<Origin>,
    pub(crate) options: InputOptions,
    pub(crate) max_errors: usize,
    pub(crate) guards: Guards,
}

/// What well-formed input is refused for.
#[derive(Clone, Debug)]
pub(crate) struct Guards {
    pub(crate) on_duplicate: DuplicatePolicy,
    pub(crate) refuse_past: bool,
    /// Of records that would be pushed.
    pub(crate) min_records: Option<u64>,
    pub(crate) max_records: Option<u64>,
    pub(crate) fail_on_empty: bool,
}

/// The requests that records have to fit into.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLimits<'c> {
    pub(super) contract: &'c Contract,
    /// The largest encoded request, in bytes.
    pub(super) max_bytes: usize,
}

impl RequestLimits<'_> {
    /// Returns the largest token, in bytes, whose record fits whatever its expiration time is.
    fn unchecked_token_bytes(self) -> usize {
        if self.contract.restricts_values() {
            return 0;
        }
        self.max_bytes.saturating_sub(Contract::MAX_FRAMING_BYTES)
    }

    /// Returns the reason why no request can hold the record, if there is one.
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
        // The exact length matters to few records.
        if record.token.as_bytes().len() + Contract::MAX_FRAMING_BYTES <= max_bytes {
            return None;
        }
        let bytes = self.contract.encoded_len(record);
        (bytes > max_bytes).then_some(ContractViolation::RecordTooLarge { bytes, max_bytes })
    }
}

/// Reads everything, and refuses it where anything is wrong, or where a signal comes.
pub(super) fn read(
    plan: &InputPlan,
    request_limits: Option<RequestLimits<'_>>,
    deadline: Option<Instant>,
    signals: &Signals,
    summary: &mut Summary,
    terminal: Terminal,
) -> Result<ValidatedInput, Failure> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let find_violation =
        |record: &Record<'_>| request_limits.and_then(|limits| limits.find_violation(record));
    let rules = ValidationRules {
        now,
        refuse_past: plan.guards.refuse_past,
        on_duplicate: plan.guards.on_duplicate,
        max_shown: plan.max_errors,
        contract_check: request_limits.map(|limits| ContractCheck {
            unchecked_token_bytes: limits.unchecked_token_bytes(),
            find_violation: &find_violation,
        }),
        read_limits: ReadLimits {
            deadline,
            stop: Some(signals.wake_stream()),
        },
    };
    let validated = validate(&plan.origins, plan.options.clone(), &rules);
    for (name, format) in validated.detected_formats() {
        terminal.detail(1, || report::describe_format(name, format));
    }
    summary.input(&validated);
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

impl Guards {
    fn check(&self, validated: &ValidatedInput) -> Result<(), Failure> {
        let valid = validated.counts.valid();
        if self.fail_on_empty && validated.counts.read == 0 {
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
