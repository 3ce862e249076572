//! Entry points for the benchmarks and fuzz targets: reading an input, encoding requests and using
//! a ledger, without running a command.

use std::{path::Path, sync::Arc, time::Duration};

pub use crate::input::InputFormat;
use crate::{
    contract::{Contract, DecodedRecord},
    input::{InputOptions, InputSource, ValidatedInput, ValidationRules, validate},
    ledger::{EntryStatus, LedgerWriter, Run, TargetKey},
    record::{ExpireTime, Record, Token, TokenEncoding},
};

/// The result of one pass over an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadResult {
    /// The number of valid records, without duplicates.
    pub valid_records: u64,
    /// The number of records that were read.
    pub read_records: u64,
    /// The `Debug` string of each problem, which contains the position of the problem.
    pub problems: Vec<String>,
}

/// Reads and validates a whole input. If `format` is `None`, the format is detected.
#[must_use]
pub fn read_input(input: &Arc<[u8]>, format: Option<InputFormat>) -> ReadResult {
    summarize(&validate_input(input, format))
}

/// Validates an input twice and compares the results. If the input is valid, then reads its
/// records, as a push does after the validation.
///
/// # Errors
///
/// Returns the description of a bug.
pub fn read_twice(input: &Arc<[u8]>, format: Option<InputFormat>) -> Result<ReadResult, String> {
    let mut validated = validate_input(input, format);
    let reading = summarize(&validated);
    let repeated = read_input(input, format);
    if reading != repeated {
        return Err(format!("{reading:?} and then {repeated:?}"));
    }
    let counts = &validated.counts;
    if counts.read != counts.valid() + counts.invalid + counts.duplicate {
        return Err(format!("{counts:?} do not add up"));
    }
    for problem in &validated.problems {
        let is_in_record = counts.unreadable_inputs == 0;
        let has_position = problem
            .position
            .is_some_and(|position| position.record > 0 && position.line > 0);
        if is_in_record && !has_position {
            return Err(format!("{problem:?} has no position"));
        }
    }
    if validated.has_problems() {
        return Ok(reading);
    }
    let mut used_records = 0;
    let mut records = validated.records();
    loop {
        match records.next(|record| !record.token.as_bytes().is_empty()) {
            Ok(Some(true)) => used_records += 1,
            Ok(Some(false)) => return Err("an empty token".to_owned()),
            Ok(None) if used_records == reading.valid_records => return Ok(reading),
            Ok(None) => {
                let valid_records = reading.valid_records;
                return Err(format!("{used_records} records used of {valid_records}"));
            }
            Err(problem) => return Err(format!("{problem:?} only in the second reading")),
        }
    }
}

/// Encodes a record for each token into one request, and returns the length of the request in
/// bytes.
pub fn encode_records(tokens: &[String]) -> Result<usize, String> {
    let contract = Contract::built_in();
    let mut request = Vec::new();
    for token in tokens {
        let token = Token::parse(token.as_bytes().into(), TokenEncoding::Utf8);
        let record = Record {
            token: token.map_err(|error| format!("{error:?}"))?,
            expire_time: ExpireTime::from_unix(0),
        };
        contract.append_record(&record, &mut request);
    }
    Ok(request.len())
}

/// Writes an acknowledged record for each token into a ledger. A missing ledger is created.
pub fn acknowledge_records(ledger: &Path, tokens: &[String]) -> Result<(), String> {
    let mut ledger = open_ledger(ledger)?;
    let records = tokens.iter().map(|token| DecodedRecord {
        token: token.as_bytes(),
        expire_time: 0,
    });
    ledger
        .acknowledge(records)
        .map_err(|error| format!("{error:?}"))
}

/// Returns the number of tokens that are in the ledger with the expiration time 0, which is the
/// expiration time that [`acknowledge_records`] writes.
pub fn count_unchanged_records(ledger: &Path, tokens: &[String]) -> Result<usize, String> {
    let known = open_ledger(ledger)?.known_times();
    let mut known = known.map_err(|error| format!("{error:?}"))?;
    let is_unchanged =
        |token: &&String| known.compare(token.as_bytes(), 0) == EntryStatus::Unchanged;
    Ok(tokens.iter().filter(is_unchanged).count())
}

fn open_ledger(path: &Path) -> Result<LedgerWriter, String> {
    let target = TargetKey {
        authority: "localhost".to_owned(),
        method: "/Internal/UpdateSensorExpireTime".to_owned(),
    };
    LedgerWriter::open(path, &target, &Run::default(), Duration::ZERO, &|_| false)
        .map_err(|error| format!("{error:?}"))
}

fn validate_input(input: &Arc<[u8]>, format: Option<InputFormat>) -> ValidatedInput {
    let options = InputOptions {
        format,
        ..InputOptions::default()
    };
    validate(
        &[InputSource::Memory(Arc::clone(input))],
        options,
        &ValidationRules::default(),
    )
}

fn summarize(validated: &ValidatedInput) -> ReadResult {
    ReadResult {
        valid_records: validated.counts.valid(),
        read_records: validated.counts.read,
        problems: validated
            .problems
            .iter()
            .map(|problem| format!("{problem:?}"))
            .collect(),
    }
}
