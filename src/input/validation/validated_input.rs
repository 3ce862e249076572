//! The result of the validation, which can read the records again.

use super::{
    super::{
        bytes::ReadLimits,
        detect::DetectedFormat,
        file::InputFile,
        options::InputOptions,
        position::{FilePosition, RecordLocation},
        problem::Problem,
    },
    expirations::ExpirationCounts,
    findings::{Findings, ValidationCounts},
    record_set::RecordSet,
    records::Records,
};
use crate::record::Record;

/// Inputs that have been validated. The caller may use the records only if
/// [`ValidatedInput::has_problems`] returns `false`.
#[derive(Debug)]
pub(crate) struct ValidatedInput {
    pub(crate) counts: ValidationCounts,
    /// The first problems, in the order of the inputs.
    pub(crate) problems: Vec<Problem>,
    /// The expiration times of the valid records that are not duplicates.
    pub(crate) expirations: ExpirationCounts,
    inputs: Vec<InputFile>,
    options: InputOptions,
    skipped: RecordSet,
}

impl ValidatedInput {
    pub(in crate::input) fn new(
        findings: Findings,
        inputs: Vec<InputFile>,
        options: InputOptions,
        skipped: RecordSet,
    ) -> Self {
        Self {
            counts: findings.counts.clone(),
            expirations: findings.expirations.clone(),
            problems: findings.into_problems(),
            inputs,
            options,
            skipped,
        }
    }

    /// Returns whether a record is invalid or an input is unreadable.
    pub(crate) fn has_problems(&self) -> bool {
        self.counts.invalid > 0 || self.counts.unreadable_inputs > 0
    }

    pub(crate) fn detected_formats(&self) -> impl Iterator<Item = (&str, &DetectedFormat)> {
        let inputs = self.inputs.iter();
        inputs.filter_map(|input| Some((&*input.label.name, input.detected_format()?)))
    }

    pub(crate) fn set_read_limits(&mut self, read_limits: &ReadLimits) {
        for input in &mut self.inputs {
            input.set_read_limits(read_limits.clone());
        }
    }

    /// Reads all inputs again, and skips the records for which `is_kept` returns `false`.
    pub(crate) fn retain(
        &mut self,
        mut is_kept: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<(), Problem> {
        let mut skipped = self.skipped.clone();
        let mut records = self.records();
        let mut skip_unless_kept = |location: RecordLocation<'_>, record: &Record<'_>| {
            if !is_kept(record) {
                skipped.insert(location.index);
            }
        };
        while records.next_with_location(&mut skip_unless_kept)?.is_some() {}
        drop(records);
        self.skipped = skipped;
        Ok(())
    }

    /// Returns the position of the record with each token, in the order of `tokens`. A position is
    /// `None` if the token is no longer found, because the input has changed or cannot be read.
    pub(crate) fn find_positions(&mut self, tokens: &[&[u8]]) -> Vec<Option<FilePosition>> {
        let mut positions = vec![None; tokens.len()];
        let mut records = self.records();
        let mut missing = tokens.len();
        while missing > 0 {
            let result = records.next_with_location(|location, record| {
                let token = record.token.as_bytes();
                let Some(index) = tokens.iter().position(|wanted| *wanted == token) else {
                    return;
                };
                positions[index] = Some(location.to_file_position());
                missing -= 1;
            });
            if !matches!(result, Ok(Some(()))) {
                break;
            }
        }
        positions
    }

    /// Starts a pass that returns the records of all inputs.
    pub(crate) fn records(&mut self) -> Records<'_> {
        Records::new(&mut self.inputs, &self.options, &self.skipped, None)
    }
}
