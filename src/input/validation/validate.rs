//! The validation of all inputs: one first pass, and further passes if a token seems to occur more
//! than once.

use super::{
    super::{
        bytes::InputSource, file::InputFile, options::InputOptions, position::RecordLocation,
        problem::ReadError, problem_kind::ProblemKind,
    },
    duplicates::{DuplicateCheck, RepeatedHashes},
    expirations::ExpirationCounts,
    findings::Findings,
    first_pass::FirstPass,
    record_set::RecordSet,
    records::Records,
    rules::ValidationRules,
    validated_input::ValidatedInput,
};
use crate::record::Record;

/// Reads all inputs to the end and finds every problem.
pub(crate) fn validate(
    sources: &[InputSource],
    options: InputOptions,
    rules: &ValidationRules<'_>,
) -> ValidatedInput {
    let mut first_pass = FirstPass::new(rules);
    let mut inputs = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        inputs.extend(first_pass.read_input(index, source, &options));
    }
    let mut passes = FurtherPasses {
        rules,
        options: &options,
        inputs: &mut inputs,
        findings: first_pass.findings,
    };
    let mut skipped = RecordSet::default();
    passes.find_duplicates(&first_pass.hashes.into_repeated(), &mut skipped);
    if !skipped.is_empty() {
        passes.recount_expirations(&skipped);
    }
    let findings = passes.findings;
    ValidatedInput::new(findings, inputs, options, skipped)
}

/// The passes after the first pass, which run only if token hashes are repeated.
struct FurtherPasses<'r> {
    rules: &'r ValidationRules<'r>,
    options: &'r InputOptions,
    inputs: &'r mut [InputFile],
    findings: Findings,
}

impl FurtherPasses<'_> {
    /// Compares the tokens that have a repeated hash. Reports conflicting duplicates, and adds all
    /// duplicates to `skipped`.
    fn find_duplicates(&mut self, repeated: &RepeatedHashes, skipped: &mut RecordSet) {
        for mut comparison in repeated.comparisons(self.rules.on_duplicate) {
            self.for_each_record(&RecordSet::default(), |findings, location, record| {
                match comparison.compare(record, &location) {
                    DuplicateCheck::Unique => {}
                    DuplicateCheck::Skip { index } => {
                        findings.counts.duplicate += 1;
                        skipped.insert(index);
                    }
                    DuplicateCheck::Conflict { first } => {
                        skipped.insert(location.index);
                        let kind = ProblemKind::ConflictingDuplicate {
                            token: record.token.to_string(),
                            first,
                        };
                        let error = ReadError::in_record(location.position, kind);
                        findings.add_error(location.input, error);
                    }
                }
            });
        }
    }

    /// Counts the expiration times again without the skipped records.
    fn recount_expirations(&mut self, skipped: &RecordSet) {
        self.findings.expirations = ExpirationCounts::at(self.rules.now);
        self.for_each_record(skipped, |findings, _, record| {
            findings.expirations.add(record.expire_time);
        });
    }

    /// Passes each valid record that is not in `skipped` to `use_record`.
    fn for_each_record(
        &mut self,
        skipped: &RecordSet,
        mut use_record: impl FnMut(&mut Findings, RecordLocation<'_>, &Record<'_>),
    ) {
        let Self {
            rules,
            options,
            inputs,
            findings,
        } = self;
        let mut records = Records::new(inputs, options, skipped, Some(*rules));
        while !findings.is_stopped {
            let used = records.next_with_location(|location, record| {
                use_record(findings, location, record);
            });
            match used {
                Ok(Some(())) => {}
                Ok(None) => break,
                Err(problem) => findings.add_unreadable_input(problem),
            }
        }
    }
}
