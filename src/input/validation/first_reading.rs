//! Reads every input to its end before anything is used of it.

use std::{collections::BTreeMap, ops::RangeFrom, sync::Arc};

use super::{
    super::{
        bytes::{Origin, Patience},
        class::Class,
        file::{Form, Input},
        options::Options,
        problem::{Located, Position, Problem, ProblemKind},
        reader::Reader,
    },
    chunks::{Pieces, Share},
    duplicates::{Comparison, Hashes, RecordSet, Verdict},
    expiry::Expiry,
    problem_log::First,
    records::Records,
    rules::Rules,
};
use crate::record::Record;

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

    fn add_all(&mut self, others: Self) {
        self.read += others.read;
        self.invalid += others.invalid;
        self.duplicate += others.duplicate;
        self.documents += others.documents;
        for (class, count) in others.by_class {
            *self.by_class.entry(class).or_default() += count;
        }
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
    let mut validation = Validation::new(rules, Hashes::default());
    let mut inputs = Vec::new();
    for origin in origins {
        match Input::open(origin, &options, &rules.patience) {
            Ok(input) => inputs.push(input),
            Err(kind) => validation.document(&origin.name(), None, kind, inputs.len()),
        }
    }
    for (place, input) in inputs.iter_mut().enumerate() {
        validation.first_reading(place, input, &options);
    }
    if validation.is_late {
        return validation.finish(inputs, options);
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

/// The reading so far.
struct Validation<'r> {
    rules: &'r Rules<'r>,
    counts: Counts,
    problems: First,
    /// The records and lines before those that are being read.
    before: (u64, u64),
    expiry: Expiry,
    hashes: Hashes,
    /// Valid records that are left out after all.
    skipped: RecordSet,
    /// Whether there was no time for more.
    is_late: bool,
}

/// What one of several threads found in its share of an input.
struct Part<'r> {
    validation: Validation<'r>,
    /// For each of its pieces, its number, its records and its lines.
    pieces: Vec<(usize, u64, u64)>,
}

impl<'r> Validation<'r> {
    fn new(rules: &'r Rules<'r>, hashes: Hashes) -> Self {
        Self {
            rules,
            counts: Counts::default(),
            problems: First::new(rules.max_shown),
            before: (0, 0),
            expiry: Expiry::at(rules.now),
            hashes,
            skipped: RecordSet::default(),
            is_late: false,
        }
    }

    fn first_reading(&mut self, place: usize, input: &mut Input, options: &Options) {
        let name = Arc::clone(&input.name);
        let documents = self.counts.documents;
        match Pieces::of(input, options) {
            Ok(mut pieces) => {
                let parts = pieces.share_out(|share| self.read_share(share, &name, options));
                self.before = self.add_parts(parts, place);
                match pieces.rest() {
                    Ok(mut reader) => self.read_first(place, &name, &mut reader),
                    Err(fault) => self.document(&name, fault.at, *fault.kind, place),
                }
                self.before = (0, 0);
            }
            Err(fault) => self.document(&name, fault.at, *fault.kind, place),
        }
        input.broken = self.is_late || self.counts.documents > documents;
    }

    /// Reads some of an input's pieces, apart from this reading. A problem's place is its piece's.
    fn read_share(&self, share: Share, name: &Arc<str>, options: &Options) -> Part<'r> {
        let mut part = Part {
            validation: Validation::new(self.rules, self.hashes.more()),
            pieces: Vec::new(),
        };
        share.each(|piece| {
            let validation = &mut part.validation;
            let before = validation.counts.read;
            let (number, lines) = (piece.number, piece.lines());
            let buffer = match piece.reader(options) {
                Ok(mut reader) => {
                    validation.read_first(number, name, &mut reader);
                    reader.into_buffer()
                }
                Err(fault) => {
                    validation.document(name, fault.at, *fault.kind, number);
                    Vec::new()
                }
            };
            let records = validation.counts.read - before;
            part.pieces.push((number, records, lines));
            buffer
        });
        part
    }

    /// Adds what was found in an input's pieces; how many records and lines there are in them.
    fn add_parts(&mut self, parts: Vec<Part<'r>>, place: usize) -> (u64, u64) {
        let mut pieces: Vec<_> = parts.iter().flat_map(|part| &part.pieces).collect();
        pieces.sort_unstable();
        // Before each piece.
        let mut starts = Vec::with_capacity(pieces.len());
        let mut end = (0, 0);
        for (_, records, lines) in pieces {
            starts.push(end);
            end = (end.0 + records, end.1 + lines);
        }
        for Part { validation, .. } in parts {
            self.counts.add_all(validation.counts);
            self.expiry.add_all(&validation.expiry);
            self.hashes.add_all(validation.hashes);
            for (piece, problem) in validation.problems.into_sorted() {
                self.problems.add(place, problem.behind(starts[piece]));
            }
        }
        end
    }

    /// Reads to the end, or as far as it goes.
    fn read_first(&mut self, place: usize, name: &Arc<str>, reader: &mut Reader<'_>) {
        while let Some(read) = reader.next() {
            match read {
                Ok(Located {
                    at,
                    value: ref record,
                }) => {
                    self.counts.read += 1;
                    if let Some(kind) = self.rules.refusal(record) {
                        self.record(name, at, kind, place);
                        continue;
                    }
                    self.expiry.add(record.expires);
                    self.hashes.add(record);
                }
                Err(fault) => match fault.at {
                    Some(at) if !fault.fatal => {
                        self.counts.read += 1;
                        self.record(name, at, *fault.kind, place);
                    }
                    at => return self.document(name, at, *fault.kind, place),
                },
            }
        }
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
        if input.broken || self.is_late {
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
        // There is time for none of the others either.
        if self.is_late {
            return;
        }
        self.is_late = matches!(kind, ProblemKind::TooLate);
        self.counts.documents += 1;
        self.add(file, at, kind, place);
    }

    fn add(&mut self, file: &Arc<str>, at: Option<Position>, kind: ProblemKind, place: usize) {
        let file = Arc::clone(file);
        let problem = Problem { file, at, kind };
        self.problems.add(place, problem.behind(self.before));
    }

    fn finish(self, inputs: Vec<Input>, options: Options) -> Validated {
        let problems = self.problems.into_sorted().into_iter();
        Validated {
            counts: self.counts,
            problems: problems.map(|(_, one)| one).collect(),
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

    /// Each input's name, and what was found of how it holds its records.
    pub(crate) fn forms(&self) -> impl Iterator<Item = (&str, Form<'_>)> {
        let inputs = self.inputs.iter();
        inputs.filter_map(|input| Some((&*input.name, input.form()?)))
    }

    /// From now on reading may take so long.
    pub(crate) fn set_patience(&mut self, patience: &Patience) {
        for input in &mut self.inputs {
            input.set_patience(patience.clone());
        }
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
        Records::new(&mut self.inputs, &self.options, &self.skipped)
    }
}
