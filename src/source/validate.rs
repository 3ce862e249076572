//! Reads every input to its end before anything is used of it, and then again to use it.

use std::{collections::BTreeMap, ops::RangeFrom, slice, sync::Arc};

use super::{
    content::Origin,
    duplicates::{Comparison, Hashes, OnDuplicate, RecordSet, Verdict},
    expiry::Expiry,
    input::{Input, Reader},
    options::Options,
    problem::{Class, Located, Position, Problem, ProblemKind},
};
use crate::record::Record;

/// What a record must be beyond being well-formed.
pub(crate) struct Rules<'r> {
    /// Unix seconds.
    pub(crate) now: u64,
    /// Whether a time before now is an error.
    pub(crate) refuse_past: bool,
    pub(crate) on_duplicate: OnDuplicate,
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
    /// Records left out because the same token came before or came again.
    pub(crate) duplicate: u64,
    /// Problems that are the document's and no record's.
    pub(crate) documents: u64,
    /// Invalid records by kind.
    pub(crate) by_class: BTreeMap<Class, u64>,
}

impl Counts {
    /// The records that can be sent.
    pub(crate) fn valid(&self) -> u64 {
        self.read - self.invalid - self.duplicate
    }
}

/// Inputs that were read to their end.
#[derive(Debug)]
pub(crate) struct Validated {
    pub(crate) counts: Counts,
    /// The first problems, in the order of the input.
    pub(crate) problems: Vec<Problem>,
    /// Of the valid records, duplicates left out.
    pub(crate) expiry: Expiry,
    inputs: Vec<Input>,
    options: Options,
    skipped: RecordSet,
}

/// Reads all inputs.
pub(crate) fn validate(origins: &[Origin], options: Options, rules: &Rules<'_>) -> Validated {
    let mut validation = Validation {
        rules,
        counts: Counts::default(),
        problems: Vec::new(),
        expiry: Expiry::at(rules.now),
        hashes: Hashes::default(),
        skipped: RecordSet::default(),
    };
    let mut inputs = Vec::new();
    for origin in origins {
        match Input::open(origin, &options) {
            Ok(input) => inputs.push(input),
            Err(kind) => validation.document(&origin.name(), None, kind, inputs.len()),
        }
    }
    for (place, input) in inputs.iter_mut().enumerate() {
        validation.first_reading(place, input, &options);
    }
    let suspects = std::mem::take(&mut validation.hashes).suspects();
    for mut comparison in suspects.readings(rules.on_duplicate) {
        let mut places = 0..;
        for (place, input) in inputs.iter_mut().enumerate() {
            validation.further_reading(place, input, &options, &mut comparison, &mut places);
        }
    }
    if !validation.skipped.is_empty() {
        // What was left out may have been the first or the last to run out.
        validation.expiry = Expiry::at(rules.now);
        let mut places = 0..;
        for (place, input) in inputs.iter_mut().enumerate() {
            validation.last_reading(place, input, &options, &mut places);
        }
    }
    validation.finish(inputs, options)
}

impl Rules<'_> {
    /// What is wrong with a record that is well-formed.
    fn refusal(&self, record: &Record<'_>) -> Option<ProblemKind> {
        if self.refuse_past && u64::from(record.expires.as_unix()) < self.now {
            return Some(ProblemKind::Past(record.expires));
        }
        let (limit, length) = self.request_limit?;
        let bytes = length(record);
        (bytes > limit).then_some(ProblemKind::TooLarge { bytes, limit })
    }
}

/// The reading so far.
struct Validation<'r> {
    rules: &'r Rules<'r>,
    counts: Counts,
    /// With the place of the input among all.
    problems: Vec<(usize, Problem)>,
    expiry: Expiry,
    hashes: Hashes,
    /// Valid records that are left out after all.
    skipped: RecordSet,
}

impl Validation<'_> {
    fn first_reading(&mut self, place: usize, input: &mut Input, options: &Options) {
        let name = Arc::clone(&input.name);
        let broken = match input.read(options) {
            Ok(reader) => self.read_first(place, &name, reader),
            Err(fault) => {
                self.document(&name, fault.at, *fault.kind, place);
                true
            }
        };
        input.broken = broken;
    }

    /// Reads to the end, or as far as it goes: whether there was a fault in the way.
    fn read_first(&mut self, place: usize, name: &Arc<str>, mut reader: Reader<'_>) -> bool {
        while let Some(read) = reader.next() {
            match read {
                Ok(Located { at, value: record }) => {
                    self.counts.read += 1;
                    if let Some(kind) = self.rules.refusal(&record) {
                        self.record(name, at, kind, place);
                        continue;
                    }
                    self.expiry.add(record.expires);
                    self.hashes.add(&record);
                }
                Err(fault) => match fault.at {
                    Some(at) if !fault.fatal => {
                        self.counts.read += 1;
                        self.record(name, at, *fault.kind, place);
                    }
                    at => {
                        self.document(name, at, *fault.kind, place);
                        return true;
                    }
                },
            }
        }
        false
    }

    /// Looks for duplicates among the suspects.
    fn further_reading(
        &mut self,
        input_place: usize,
        input: &mut Input,
        options: &Options,
        comparison: &mut Comparison<'_>,
        places: &mut RangeFrom<usize>,
    ) {
        let name = Arc::clone(&input.name);
        self.read_again(input_place, input, options, |validation, record| {
            let Some(place) = places.next() else { return };
            match comparison.judge(record, &name, place) {
                Verdict::Keep => {}
                Verdict::Drop(place) => {
                    validation.counts.duplicate += 1;
                    validation.skipped.insert(place);
                }
                Verdict::Conflict(first) => {
                    validation.skipped.insert(place);
                    let kind = ProblemKind::Conflict {
                        token: record.value.token.to_string(),
                        first_file: first.file,
                        first: first.at,
                    };
                    validation.record(&name, record.at, kind, input_place);
                }
            }
        });
    }

    /// Looks at the times of what is left.
    fn last_reading(
        &mut self,
        input_place: usize,
        input: &mut Input,
        options: &Options,
        places: &mut RangeFrom<usize>,
    ) {
        self.read_again(input_place, input, options, |validation, record| {
            let place = places.next();
            if place.is_some_and(|place| !validation.skipped.contains(place)) {
                validation.expiry.add(record.value.expires);
            }
        });
    }

    /// Hands on every record that was valid in the first reading. What was wrong otherwise was
    /// reported then; that an input can't be read to its end any more is new.
    fn read_again(
        &mut self,
        place: usize,
        input: &mut Input,
        options: &Options,
        mut each: impl FnMut(&mut Self, &Located<Record<'_>>),
    ) {
        if input.broken {
            return;
        }
        let name = Arc::clone(&input.name);
        let mut reader = match input.read(options) {
            Ok(reader) => reader,
            Err(fault) => return self.document(&name, fault.at, *fault.kind, place),
        };
        while let Some(read) = reader.next() {
            match read {
                Ok(record) if self.rules.refusal(&record.value).is_none() => each(self, &record),
                Err(fault) if fault.fatal => self.document(&name, fault.at, *fault.kind, place),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn record(&mut self, file: &Arc<str>, at: Position, kind: ProblemKind, place: usize) {
        self.counts.invalid += 1;
        *self.counts.by_class.entry(kind.class()).or_default() += 1;
        self.add(file, Some(at), kind, place);
    }

    fn document(&mut self, file: &Arc<str>, at: Option<Position>, kind: ProblemKind, place: usize) {
        self.counts.documents += 1;
        self.add(file, at, kind, place);
    }

    fn add(&mut self, file: &Arc<str>, at: Option<Position>, kind: ProblemKind, place: usize) {
        if self.problems.len() < self.rules.max_shown {
            let file = Arc::clone(file);
            self.problems.push((place, Problem { file, at, kind }));
        }
    }

    fn finish(mut self, inputs: Vec<Input>, options: Options) -> Validated {
        // Duplicates are found last, wherever they stand.
        self.problems
            .sort_by_key(|(place, problem)| (*place, problem.at.map(|at| at.record)));
        Validated {
            counts: self.counts,
            problems: self.problems.into_iter().map(|(_, one)| one).collect(),
            expiry: self.expiry,
            inputs,
            options,
            skipped: self.skipped,
        }
    }
}

impl Validated {
    /// Whether anything is wrong, so that nothing may be used.
    pub(crate) fn is_refused(&self) -> bool {
        self.counts.invalid > 0 || self.counts.documents > 0
    }

    /// Reads all inputs again, and from now on leaves out the records of which `stays` says so.
    ///
    /// # Errors
    ///
    /// As [`Records::next`].
    pub(crate) fn retain(
        &mut self,
        mut stays: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<(), Problem> {
        let mut left_out = RecordSet::default();
        {
            let mut records = self.records();
            let mut next = || records.next_at(|at, record| (at.place, stays(record)));
            while let Some((place, stays)) = next()? {
                if !stays {
                    left_out.insert(place);
                }
            }
        }
        self.skipped.add_all(&left_out);
        Ok(())
    }

    /// Where the records with these tokens stand; `None` for one that is not found any more.
    pub(crate) fn positions(&mut self, tokens: &[&[u8]]) -> Vec<Option<(Arc<str>, Position)>> {
        let mut positions = vec![None; tokens.len()];
        let mut records = self.records();
        let mut missing = tokens.len();
        while missing > 0 {
            let found = records.next_at(|at, record| {
                let token = record.token.as_bytes();
                let index = tokens.iter().position(|wanted| *wanted == token)?;
                Some((index, Arc::clone(at.file), at.position))
            });
            match found {
                Ok(Some(Some((index, file, position)))) => {
                    positions[index] = Some((file, position));
                    missing -= 1;
                }
                Ok(Some(None)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        positions
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

/// Where a record stands.
struct At<'a> {
    file: &'a Arc<str>,
    position: Position,
    /// Among all that are well-formed.
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
        self.next_at(|_, record| use_it(record))
    }

    /// The same, with where the record stands.
    fn next_at<T>(
        &mut self,
        use_it: impl FnOnce(At<'_>, &Record<'_>) -> T,
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
                    kind: *fault.kind,
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
                        let at = At {
                            file: name,
                            position: located.at,
                            place,
                        };
                        return Ok(Some(use_it(at, &located.value)));
                    }
                }
                Some(Err(fault)) => {
                    return Err(Problem {
                        file: Arc::clone(name),
                        at: fault.at,
                        kind: *fault.kind,
                    });
                }
            }
        }
    }
}
