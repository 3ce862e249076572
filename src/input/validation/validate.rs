//! The validation of all inputs: one first pass, and further passes if a token seems to occur more
//! than once.

use super::{
    super::{bytes::Origin, options::InputOptions},
    duplicates::TokenHashes,
    first_reading::FirstReading,
    further_readings::FurtherReadings,
    record_set::RecordSet,
    rules::ValidationRules,
    validated_input::ValidatedInput,
};

/// Reads all inputs to the end and finds every problem.
pub(crate) fn validate(
    origins: &[Origin],
    options: InputOptions,
    rules: &ValidationRules<'_>,
) -> ValidatedInput {
    let mut first_reading = FirstReading::new(rules, TokenHashes::default());
    let mut inputs = first_reading.open_inputs(origins, &options);
    for (index, input) in inputs.iter_mut().enumerate() {
        first_reading.read_input(index, input, &options);
    }
    let FirstReading {
        findings, hashes, ..
    } = first_reading;
    if findings.is_stopped {
        return ValidatedInput::new(findings, inputs, options, RecordSet::default());
    }
    let mut further_readings = FurtherReadings {
        rules,
        options: &options,
        findings,
        skipped: RecordSet::default(),
    };
    further_readings.find_duplicates(&mut inputs, &hashes.into_repeated());
    further_readings.recount_expirations(&mut inputs);
    let FurtherReadings {
        findings, skipped, ..
    } = further_readings;
    ValidatedInput::new(findings, inputs, options, skipped)
}
