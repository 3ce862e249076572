//! Reads every input to its end before anything is used of it, and then again to use it.

use std::{collections::BTreeMap, ops::RangeFrom, slice, sync::Arc};

use super::{
    Input, Options, Origin, Reader,
    duplicates::{Comparison, Hashes, RecordSet},
    problem::{Class, Located, Position, Problem, ProblemKind},
};
use crate::record::Record;

/// What a record must be beyond being well-formed.
pub(crate) struct Rules<'r> {
    /// Unix seconds.
    pub(crate) now: u64,
    /// How many problems are kept; all are counted.
    pub(crate) max_shown: usize,
    pub(crate) request_limit: Option<RequestLimit<'r>>,
}

/// The most bytes that a record may add to a request, and how many it does add.
pub(crate) type RequestLimit<'r> = (usize, &'r dyn Fn(&Record<'_>) -> usize);

/// What was found in all inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) invalid: u64,
    /// Records left out because the very same came before.
    pub(crate) duplicate: u64,
    /// Problems that are the document's and no record's.
    pub(crate) documents: u64,
    pub(crate) by_class: BTreeMap<Class, u64>,
    /// Records, duplicates left out, whose time has passed.
    pub(crate) past: u64,
}

impl Counts {
    /// The records that can be sent.
    pub(crate) fn valid(&self) -> u64 {
        self.read - self.invalid - self.duplicate
    }

    fn count(&mut self, class: Class) {
        *self.by_class.entry(class).or_default() += 1;
    }
}

/// Inputs that were read to their end.
#[derive(Debug)]
pub(crate) struct Validated {
    pub(crate) counts: Counts,
    /// The first problems, in the order of the input.
    pub(crate) problems: Vec<Problem>,
    inputs: Vec<Input>,
    options: Options,
    skipped: RecordSet,
}

/// Reads all inputs.
pub(crate) fn validate(origins: &[Origin], options: Options, rules: &Rules<'_>) -> Validated {
    let mut validation = Validation {
        counts: Counts::default(),
        problems: Vec::new(),
        max_shown: rules.max_shown,
    };
    let mut inputs = Vec::new();
    for origin in origins {
        match Input::open(origin, &options) {
            Ok(input) => inputs.push(input),
            Err(kind) => validation.document(&origin.name(), None, kind, inputs.len()),
        }
    }
    let mut hashes = Hashes::default();
    for (place, input) in inputs.iter_mut().enumerate() {
        validation.first_reading(place, input, &options, rules, &mut hashes);
    }
    let mut skipped = RecordSet::default();
    for mut comparison in hashes.suspects().readings() {
        let mut places = 0..;
        for (place, input) in inputs.iter_mut().enumerate() {
            let mut again = Again {
                comparison: &mut comparison,
                places: &mut places,
                skipped: &mut skipped,
            };
            validation.further_reading(place, input, &options, rules, &mut again);
        }
    }
    validation.finish(inputs, options, skipped)
}

impl Rules<'_> {
    fn is_past(&self, record: &Record<'_>) -> bool {
        u64::from(record.expires.as_unix()) < self.now
    }

    fn too_large(&self, record: &Record<'_>) -> Option<ProblemKind> {
        let (limit, length) = self.request_limit?;
        let bytes = length(record);
        (bytes > limit).then_some(ProblemKind::TooLarge { bytes, limit })
    }
}

/// What a further reading works on.
struct Again<'a, 'c> {
    comparison: &'a mut Comparison<'c>,
    /// The places of the records among the valid ones.
    places: &'a mut RangeFrom<usize>,
    skipped: &'a mut RecordSet,
}

/// The reading so far.
struct Validation {
    counts: Counts,
    /// With the place of the input among all.
    problems: Vec<(usize, Problem)>,
    max_shown: usize,
}

impl Validation {
    fn first_reading(
        &mut self,
        place: usize,
        input: &mut Input,
        options: &Options,
        rules: &Rules<'_>,
        hashes: &mut Hashes,
    ) {
        let name = Arc::clone(&input.name);
        let mut reader = match input.read(options) {
            Ok(reader) => reader,
            Err(fault) => return self.document(&name, fault.at, fault.kind, place),
        };
        while let Some(read) = reader.next() {
            match read {
                Ok(Located { at, value: record }) => {
                    self.counts.read += 1;
                    if let Some(kind) = rules.too_large(&record) {
                        self.record(&name, at, kind, place);
                        continue;
                    }
                    self.counts.past += u64::from(rules.is_past(&record));
                    hashes.add(&record);
                }
                Err(fault) if fault.fatal => self.document(&name, fault.at, fault.kind, place),
                Err(fault) => {
                    self.counts.read += 1;
                    match fault.at {
                        Some(at) => self.record(&name, at, fault.kind, place),
                        None => self.document(&name, None, fault.kind, place),
                    }
                }
            }
        }
    }

    /// Looks for duplicates among the suspects. What is wrong otherwise was reported before.
    fn further_reading(
        &mut self,
        input_place: usize,
        input: &mut Input,
        options: &Options,
        rules: &Rules<'_>,
        again: &mut Again<'_, '_>,
    ) {
        let name = Arc::clone(&input.name);
        let Ok(mut reader) = input.read(options) else {
            return;
        };
        while let Some(read) = reader.next() {
            let (at, record) = match read {
                Ok(Located { at, value }) => (at, value),
                Err(fault) => {
                    if matches!(fault.kind, ProblemKind::Changed) {
                        self.document(&name, fault.at, fault.kind, input_place);
                    }
                    continue;
                }
            };
            if rules.too_large(&record).is_some() {
                continue;
            }
            let place = again.places.next().unwrap_or(usize::MAX);
            let Some(first) = again.comparison.earlier(&record, &name, at) else {
                continue;
            };
            if first.expires == record.expires {
                self.counts.duplicate += 1;
                again.skipped.insert(place);
                self.counts.past -= u64::from(rules.is_past(&record));
            } else {
                let kind = ProblemKind::Conflict {
                    token: record.token.to_string(),
                    first_file: Arc::clone(&first.file),
                    first: first.at,
                };
                self.record(&name, at, kind, input_place);
            }
        }
    }

    fn record(&mut self, file: &Arc<str>, at: Position, kind: ProblemKind, place: usize) {
        self.counts.invalid += 1;
        self.add(file, Some(at), kind, place);
    }

    fn document(&mut self, file: &Arc<str>, at: Option<Position>, kind: ProblemKind, place: usize) {
        self.counts.documents += 1;
        self.add(file, at, kind, place);
    }

    fn add(&mut self, file: &Arc<str>, at: Option<Position>, kind: ProblemKind, place: usize) {
        self.counts.count(kind.class());
        if self.problems.len() < self.max_shown {
            let file = Arc::clone(file);
            self.problems.push((place, Problem { file, at, kind }));
        }
    }

    fn finish(mut self, inputs: Vec<Input>, options: Options, skipped: RecordSet) -> Validated {
        // Duplicates are found last, wherever they stand.
        self.problems
            .sort_by_key(|(place, problem)| (*place, problem.at.map(|at| at.record)));
        Validated {
            counts: self.counts,
            problems: self.problems.into_iter().map(|(_, one)| one).collect(),
            inputs,
            options,
            skipped,
        }
    }
}

impl Validated {
    /// Whether anything is wrong, so that nothing may be used.
    pub(crate) fn is_refused(&self) -> bool {
        self.counts.invalid > 0 || self.counts.documents > 0
    }

    /// Reads all inputs again.
    pub(crate) fn records(&mut self) -> Records<'_> {
        Records {
            inputs: self.inputs.iter_mut(),
            options: &self.options,
            skipped: &self.skipped,
            current: None,
            place: 0,
        }
    }
}

/// The records of all inputs, duplicates left out.
pub(crate) struct Records<'v> {
    inputs: slice::IterMut<'v, Input>,
    options: &'v Options,
    skipped: &'v RecordSet,
    current: Option<(Arc<str>, Reader<'v>)>,
    place: usize,
}

impl Records<'_> {
    /// Hands the next record to `use_it`; `None` behind the last.
    ///
    /// # Errors
    ///
    /// The input is not what it was when it was validated.
    pub(crate) fn next<T>(
        &mut self,
        use_it: impl FnOnce(&Record<'_>) -> T,
    ) -> Result<Option<T>, Problem> {
        loop {
            let Some((name, reader)) = &mut self.current else {
                let Some(input) = self.inputs.next() else {
                    return Ok(None);
                };
                let name = Arc::clone(&input.name);
                let reader = input.read(self.options).map_err(|fault| Problem {
                    file: Arc::clone(&name),
                    at: fault.at,
                    kind: fault.kind,
                })?;
                self.current = Some((name, reader));
                continue;
            };
            match reader.next() {
                None => self.current = None,
                Some(Ok(located)) => {
                    let place = self.place;
                    self.place += 1;
                    if !self.skipped.contains(place) {
                        return Ok(Some(use_it(&located.value)));
                    }
                }
                Some(Err(fault)) => {
                    return Err(Problem {
                        file: Arc::clone(name),
                        at: fault.at,
                        kind: fault.kind,
                    });
                }
            }
        }
    }
}
