//! Reading alone, without a command around it: for benchmarks and fuzz targets.

use std::sync::Arc;

pub use crate::source::Format;
use crate::source::{OnDuplicate, Options, Origin, Rules, Validated, validate};

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
pub fn read(input: &Arc<[u8]>, format: Option<Format>) -> Reading {
    reading(&validated(input, format))
}

/// Reads an input twice: once to validate it, once to use it, if it is valid.
///
/// # Errors
///
/// What the two readings disagree on, or a problem without a place: a defect.
pub fn read_twice(input: &Arc<[u8]>, format: Option<Format>) -> Result<Reading, String> {
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
        let of_record = counts.documents == 0;
        if of_record && problem.at.is_none_or(|at| at.record == 0 || at.line == 0) {
            return Err(format!("{problem:?} has no place"));
        }
    }
    if first.is_refused() {
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

fn validated(input: &Arc<[u8]>, format: Option<Format>) -> Validated {
    let options = Options {
        format,
        ..Options::default()
    };
    let rules = Rules {
        now: 0,
        refuse_past: false,
        on_duplicate: OnDuplicate::Error,
        max_shown: 20,
        request_limit: None,
    };
    validate(&[Origin::Memory(Arc::clone(input))], options, &rules)
}

fn reading(validated: &Validated) -> Reading {
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
