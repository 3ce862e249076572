//! Further passes over the inputs, which run only if token hashes are repeated. The further passes
//! find the duplicates, and count the expiration times of the records that are not duplicates.

use std::sync::Arc;

use super::{
    super::{file::InputFile, options::InputOptions, position::Located, problem_kind::ProblemKind},
    duplicates::{DuplicateCheck, RepeatedHashes},
    expirations::ExpirationCounts,
    findings::{Findings, InputLabel},
    record_set::RecordSet,
    rules::ValidationRules,
};
use crate::record::Record;

/// The passes after the first pass.
pub(in crate::input) struct FurtherPasses<'r> {
    pub(in crate::input) rules: &'r ValidationRules<'r>,
    pub(in crate::input) options: &'r InputOptions,
    pub(in crate::input) findings: Findings,
    /// The valid records that are not sent.
    pub(in crate::input) skipped: RecordSet,
}

/// A valid record with its position, its input and its index.
struct ValidRecord<'a, 'r> {
    located: &'a Located<Record<'r>>,
    input: InputLabel<'a>,
    /// The index of the record among the valid records of all inputs.
    index: usize,
}

impl FurtherPasses<'_> {
    /// Compares the tokens that have a repeated hash, and skips or reports the duplicates.
    pub(in crate::input) fn find_duplicates(
        &mut self,
        inputs: &mut [InputFile],
        repeated: &RepeatedHashes,
    ) {
        for mut comparison in repeated.comparisons(self.rules.on_duplicate) {
            self.for_each_valid_record(inputs, |this, record| {
                let ValidRecord { located, input, .. } = record;
                match comparison.compare(located, input.name, record.index) {
                    DuplicateCheck::Unique => {}
                    DuplicateCheck::Skip { index } => {
                        this.findings.counts.duplicate += 1;
                        this.skipped.insert(index);
                    }
                    DuplicateCheck::Conflict { first } => {
                        this.skipped.insert(record.index);
                        let kind = ProblemKind::ConflictingDuplicate {
                            token: located.value.token.to_string(),
                            first,
                        };
                        this.findings
                            .add_invalid_record(input, located.position, kind);
                    }
                }
            });
        }
    }

    /// Counts the expiration times again if records are skipped, because the first pass has counted
    /// the skipped records as well.
    pub(in crate::input) fn recount_expirations(&mut self, inputs: &mut [InputFile]) {
        if self.skipped.is_empty() {
            return;
        }
        self.findings.expirations = ExpirationCounts::at(self.rules.now);
        self.for_each_valid_record(inputs, |this, record| {
            if !this.skipped.contains(record.index) {
                let time = record.located.value.expire_time;
                this.findings.expirations.add(time);
            }
        });
    }

    /// Passes each record that was valid in the first pass to `use_record`. The first pass has
    /// already reported the invalid records. An input that can no longer be read to its end is a
    /// new finding.
    fn for_each_valid_record(
        &mut self,
        inputs: &mut [InputFile],
        mut use_record: impl FnMut(&mut Self, ValidRecord<'_, '_>),
    ) {
        let mut next_index = 0;
        for (index, input) in inputs.iter_mut().enumerate() {
            if input.is_incomplete || self.findings.is_stopped {
                continue;
            }
            let name = Arc::clone(&input.name);
            let input_label = InputLabel { name: &name, index };
            let mut reader = match input.records(self.options) {
                Ok(reader) => reader,
                Err(error) => {
                    self.findings.add_unreadable_input(input_label, error);
                    continue;
                }
            };
            while let Some(result) = reader.next() {
                match result {
                    Ok(located) if self.rules.find_problem(&located.value).is_none() => {
                        let record = ValidRecord {
                            located: &located,
                            input: input_label,
                            index: next_index,
                        };
                        next_index += 1;
                        use_record(self, record);
                    }
                    Err(error) if error.is_fatal => {
                        self.findings.add_unreadable_input(input_label, error);
                    }
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }
}
