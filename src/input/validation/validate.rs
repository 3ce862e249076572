//! The validation of all inputs: one first pass, and further passes if a token seems to occur more
//! than once.

use super::{
    super::{bytes::InputSource, options::InputOptions},
    duplicates::TokenHashes,
    first_pass::FirstPass,
    further_passes::FurtherPasses,
    record_set::RecordSet,
    rules::ValidationRules,
    validated_input::ValidatedInput,
};

/// Reads all inputs to the end and finds every problem.
pub(crate) fn validate(
    sources: &[InputSource],
    options: InputOptions,
    rules: &ValidationRules<'_>,
) -> ValidatedInput {
    let mut first_pass = FirstPass::new(rules, TokenHashes::default());
    let mut inputs = first_pass.open_inputs(sources, &options);
    for (index, input) in inputs.iter_mut().enumerate() {
        first_pass.read_input(index, input, &options);
    }
    let FirstPass {
        findings, hashes, ..
    } = first_pass;
    if findings.is_stopped {
        return ValidatedInput::new(findings, inputs, options, RecordSet::default());
    }
    let mut further_passes = FurtherPasses {
        rules,
        options: &options,
        findings,
        skipped: RecordSet::default(),
    };
    further_passes.find_duplicates(&mut inputs, &hashes.into_repeated());
    further_passes.recount_expirations(&mut inputs);
    let FurtherPasses {
        findings, skipped, ..
    } = further_passes;
    ValidatedInput::new(findings, inputs, options, skipped)
}
