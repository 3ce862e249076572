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

/// Validates an input and returns the number of valid records, without duplicates. If `format` is
/// `None`, the format is detected.
#[must_use]
pub fn count_valid_records(input: &Arc<[u8]>, format: Option<InputFormat>) -> u64 {
    validate_input(input, format).counts.valid()
}

/// Validates an input twice and compares the results. If the input is valid, then reads its
/// records, as a push does after the validation.
///
/// # Errors
///
/// Returns the description of a bug.
pub fn read_twice(input: &Arc<[u8]>, format: Option<InputFormat>) -> Result<(), String> {
    let mut validated = validate_input(input, format);
    let result = describe(&validated);
    let repeated = describe(&validate_input(input, format));
    if result != repeated {
        return Err(format!("{result} and then {repeated}"));
    }
    let mut positions = validated.problems.iter().map(|problem| problem.position);
    let has_positions = positions.all(|position| position.is_some_and(|place| place.record > 0));
    if validated.counts.unreadable_inputs == 0 && !has_positions {
        return Err(format!("a problem of a record has no position: {result}"));
    }
    if validated.has_problems() {
        return Ok(());
    }
    let valid_records = validated.counts.valid();
    let mut used_records = 0;
    let mut records = validated.records();
    let mut has_token = || records.next(|record| !record.token.as_bytes().is_empty());
    while let Some(has_token) = has_token().map_err(|problem| format!("only later: {problem:?}"))? {
        if !has_token {
            return Err("an empty token".to_owned());
        }
        used_records += 1;
    }
    if used_records == valid_records {
        Ok(())
    } else {
        Err(format!("{used_records} records used of {valid_records}"))
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
    let mut digester = known.digester();
    let digests = tokens.iter().map(|token| digester.digest(token.as_bytes()));
    let entries = known.find_all(&digests.collect::<Vec<_>>()).into_iter();
    let is_unchanged = |entry: &_| known.compare(*entry, 0) == EntryStatus::Unchanged;
    Ok(entries.filter(is_unchanged).count())
}

fn open_ledger(path: &Path) -> Result<LedgerWriter, String> {
    let target = TargetKey {
        authority: "localhost".to_owned(),
        method: "/Internal/UpdateSensorExpireTime".to_owned(),
    };
    LedgerWriter::open(path, &target, Run::default(), Duration::ZERO, &|_| false)
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

fn describe(validated: &ValidatedInput) -> String {
    format!("{:?} {:?}", validated.counts, validated.problems)
}
