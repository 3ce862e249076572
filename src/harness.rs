//! Reading, encoding and the ledger alone, without a command around them: for benchmarks and fuzz
//! targets.

use std::{borrow::Cow, path::Path, sync::Arc, time::Duration};

use bytes::BytesMut;

pub use crate::input::InputFormat;
use crate::{
    contract::{Contract, DecodedRecord},
    input::{InputOptions, Origin, ValidatedInput, ValidationRules, validate},
    ledger::{Comparison, LedgerWriter, TargetKey},
    record::{ExpireTime, Record, Token, TokenEncoding},
};

/// What one reading found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Records that can be sent.
    pub valid: u64,
    /// Records that were read.
    pub read: u64,
    /// Each problem with its place, as data.
    pub problems: Vec<String>,
}

/// Reads a whole input; `None` finds its format out.
#[must_use]
pub fn read(input: &Arc<[u8]>, format: Option<InputFormat>) -> Reading {
    reading(&validated(input, format))
}

/// Reads an input twice: once to validate it, once to use it, if it is valid.
///
/// # Errors
///
/// What the two readings disagree on, or a problem without a place: a defect.
pub fn read_twice(input: &Arc<[u8]>, format: Option<InputFormat>) -> Result<Reading, String> {
    let mut first = validated(input, format);
    let found = reading(&first);
    let again = read(input, format);
    if found != again {
        return Err(format!("{found:?} and then {again:?}"));
    }
    let counts = &first.counts;
    if counts.read != counts.valid() + counts.invalid + counts.duplicate {
        return Err(format!("{counts:?} do not add up"));
    }
    for problem in &first.problems {
        let of_record = counts.unreadable_inputs == 0;
        if of_record
            && problem
                .position
                .is_none_or(|at| at.record == 0 || at.line == 0)
        {
            return Err(format!("{problem:?} has no place"));
        }
    }
    if first.has_problems() {
        return Ok(found);
    }
    let mut used = 0;
    let mut records = first.records();
    loop {
        match records.next(|record| !record.token.as_bytes().is_empty()) {
            Ok(Some(true)) => used += 1,
            Ok(Some(false)) => return Err("an empty token".to_owned()),
            Ok(None) if used == found.valid => return Ok(found),
            Ok(None) => return Err(format!("{used} records used of {}", found.valid)),
            Err(problem) => return Err(format!("{problem:?} in the second reading alone")),
        }
    }
}

/// Encodes a record for each token; the bytes of them all.
///
/// # Errors
///
/// A text that is no token.
pub fn encode(tokens: &[String]) -> Result<usize, String> {
    let contract = Contract::built_in();
    let mut request = BytesMut::new();
    for token in tokens {
        let token = Token::parse(Cow::Borrowed(token), TokenEncoding::Utf8);
        let record = Record {
            token: token.map_err(|error| format!("{error:?}"))?,
            expire_time: ExpireTime::EPOCH,
        };
        contract.append_record(&record, &mut request);
    }
    Ok(request.len())
}

/// Writes a record for each token into a ledger, which is made where there is none.
///
/// # Errors
///
/// The ledger's.
pub fn acknowledge(ledger: &Path, tokens: &[String]) -> Result<(), String> {
    let mut ledger = open(ledger)?;
    let records = tokens.iter().map(|token| DecodedRecord {
        token: token.as_bytes(),
        expire_time: 0,
    });
    ledger
        .acknowledge(records)
        .map_err(|error| format!("{error:?}"))
}

/// How many of these records a ledger holds.
///
/// # Errors
///
/// The ledger's.
pub fn unchanged(ledger: &Path, tokens: &[String]) -> Result<usize, String> {
    let known = open(ledger)?.known_times();
    let mut known = known.map_err(|error| format!("{error:?}"))?;
    let is_same = |token: &&String| known.compare(token.as_bytes(), 0) == Comparison::Unchanged;
    Ok(tokens.iter().filter(is_same).count())
}

fn open(ledger: &Path) -> Result<LedgerWriter, String> {
    let target = TargetKey {
        authority: "localhost".to_owned(),
        method: "/Internal/UpdateSensorExpireTime".to_owned(),
    };
    LedgerWriter::open(ledger, &target, Duration::ZERO, &|_| false)
        .map_err(|error| format!("{error:?}"))
}

fn validated(input: &Arc<[u8]>, format: Option<InputFormat>) -> ValidatedInput {
    let options = InputOptions {
        format,
        ..InputOptions::default()
    };
    validate(
        &[Origin::Memory(Arc::clone(input))],
        options,
        &ValidationRules::default(),
    )
}

fn reading(validated: &ValidatedInput) -> Reading {
    Reading {
        valid: validated.counts.valid(),
        read: validated.counts.read,
        problems: validated
            .problems
            .iter()
            .map(|problem| format!("{problem:?}"))
            .collect(),
    }
}
