//! Reads every input to its end before anything is used of it.

use std::{collections::BTreeMap, ops::RangeFrom, sync::Arc};

use super::{
    super::{
        bytes::{Origin, ReadLimits},
        class::ProblemClass,
        detect::DetectedFormat,
        file::InputFile,
        options::InputOptions,
        problem::{Located, Position, Problem, ProblemKind},
        reader::RecordReader,
    },
    chunks::{Pieces, Share},
    duplicates::{Comparison, Hashes, RecordSet, Verdict},
    expiry::ExpirationCounts,
    problem_log::ProblemLog,
    records::Records,
    rules::ValidationRules,
};
use crate::record::Record;

/// What was found in all inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordCounts {
    pub(crate) read: u64,
    pub(crate) invalid: u64,
    /// Records left out because the same token came before or came again.
    pub(crate) duplicate: u64,
    /// Problems that are the document's and no record's.
    pub(crate) unreadable_inputs: u64,
    /// Invalid records by kind.
    pub(crate) by_class: BTreeMap<ProblemClass, u64>,
}

impl RecordCounts {
    /// The records that can be sent.
    pub(crate) fn valid(&self) -> u64 {
        self.read - self.invalid - self.duplicate
    }

    fn add_all(&mut self, others: Self) {
        self.read += others.read;
        self.invalid += others.invalid;
        self.duplicate += others.duplicate;
        self.unreadable_inputs += others.unreadable_inputs;
        for (class, count) in others.by_class {
            *self.by_class.entry(class).or_default() += count;
        }
    }
}

/// Inputs that were read to their end.
#[derive(Debug)]
pub(crate) struct ValidatedInput {
    pub(crate) counts: RecordCounts,
    /// The first problems, in the order of the input.
    pub(crate) problems: Vec<Problem>,
    /// Of the valid records, duplicates left out.
    pub(crate) expirations: ExpirationCounts,
    inputs: Vec<InputFile>,
    options: InputOptions,
    skipped: RecordSet,
}

/// Reads all inputs.
pub(crate) fn validate(
    origins: &[Origin],
    options: InputOptions,
    rules: &ValidationRules<'_>,
) -> ValidatedInput {
    let mut validation = Validation::new(rules, Hashes::default());
    let mut inputs = Vec::new();
    for origin in origins {
        match InputFile::open(origin, &options, &rules.read_limits) {
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
        validation.expirations = ExpirationCounts::at(rules.now);
        let mut places = 0..;
        for (place, input) in inputs.iter_mut().enumerate() {
            validation.last_reading(place, input, &options, &mut places);
        }
    }
    validation.finish(inputs, options)
}

/// The reading so far.
struct Validation<'r> {
    rules: &'r ValidationRules<'r>,
    counts: RecordCounts,
    problems: ProblemLog,
    /// The records and lines before those that are being read.
    before: (u64, u64),
    expirations: ExpirationCounts,
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
    fn new(rules: &'r ValidationRules<'r>, hashes: Hashes) -> Self {
        Self {
            rules,
            counts: RecordCounts::default(),
            problems: ProblemLog::new(rules.max_shown),
            before: (0, 0),
            expirations: ExpirationCounts::at(rules.now),
            hashes,
            skipped: RecordSet::default(),
            is_late: false,
        }
    }

    fn first_reading(&mut self, place: usize, input: &mut InputFile, options: &InputOptions) {
        let name = Arc::clone(&input.name);
        let unreadable = self.counts.unreadable_inputs;
        match Pieces::of(input, options) {
            Ok(mut pieces) => {
                let parts = pieces.share_out(|share| self.read_share(share, &name, options));
                self.before = self.add_parts(parts, place);
                match pieces.rest() {
                    Ok(mut reader) => self.read_first(place, &name, &mut reader),
                    Err(fault) => self.document(&name, fault.position, *fault.kind, place),
                }
                self.before = (0, 0);
            }
            Err(fault) => self.document(&name, fault.position, *fault.kind, place),
        }
        input.is_incomplete = self.is_late || self.counts.unreadable_inputs > unreadable;
    }

    /// Reads some of an input's pieces, apart from this reading. A problem's place is its piece's.
    fn read_share(&self, share: Share, name: &Arc<str>, options: &InputOptions) -> Part<'r> {
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
                    validation.document(name, fault.position, *fault.kind, number);
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
            self.expirations.add_all(&validation.expirations);
            self.hashes.add_all(validation.hashes);
            for (piece, problem) in validation.problems.into_sorted() {
                self.problems.add(place, problem.behind(starts[piece]));
            }
        }
        end
    }

    /// Reads to the end, or as far as it goes.
    fn read_first(&mut self, place: usize, name: &Arc<str>, reader: &mut RecordReader<'_>) {
        while let Some(read) = reader.next() {
            match read {
                Ok(Located {
                    position: at,
                    value: ref record,
                }) => {
                    self.counts.read += 1;
                    if let Some(kind) = self.rules.find_problem(record) {
                        self.record(name, at, kind, place);
                        continue;
                    }
                    self.expirations.add(record.expire_time);
                    self.hashes.add(record);
                }
                Err(fault) => match fault.position {
                    Some(at) if !fault.is_fatal => {
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
        input: &mut InputFile,
        options: &InputOptions,
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
                    let kind = ProblemKind::ConflictingDuplicate {
                        token: record.value.token.to_string(),
                        first_file: first.file,
                        first: first.at,
                    };
                    validation.record(&name, record.position, kind, input_place);
                }
            }
        });
    }

    /// Looks at the times of what is left.
    fn last_reading(
        &mut self,
        input_place: usize,
        input: &mut InputFile,
        options: &InputOptions,
        places: &mut RangeFrom<usize>,
    ) {
        self.read_again(input_place, input, options, |validation, record| {
            let place = places.next();
            if place.is_some_and(|place| !validation.skipped.contains(place)) {
                validation.expirations.add(record.value.expire_time);
            }
        });
    }

    /// Hands on every record that was valid in the first reading. What was wrong otherwise was
    /// reported then; that an input can't be read to its end any more is new.
    fn read_again(
        &mut self,
        place: usize,
        input: &mut InputFile,
        options: &InputOptions,
        mut each: impl FnMut(&mut Self, &Located<Record<'_>>),
    ) {
        if input.is_incomplete || self.is_late {
            return;
        }
        let name = Arc::clone(&input.name);
        let mut reader = match input.records(options) {
            Ok(reader) => reader,
            Err(fault) => return self.document(&name, fault.position, *fault.kind, place),
        };
        while let Some(read) = reader.next() {
            match read {
                Ok(record) if self.rules.find_problem(&record.value).is_none() => {
                    each(self, &record)
                }
                Err(fault) if fault.is_fatal => {
                    self.document(&name, fault.position, *fault.kind, place)
                }
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
        self.is_late = matches!(kind, ProblemKind::DeadlineExceeded);
        self.counts.unreadable_inputs += 1;
        self.add(file, at, kind, place);
    }

    fn add(&mut self, file: &Arc<str>, at: Option<Position>, kind: ProblemKind, place: usize) {
        let file = Arc::clone(file);
        let problem = Problem {
            file,
            position: at,
            kind,
        };
        self.problems.add(place, problem.behind(self.before));
    }

    fn finish(self, inputs: Vec<InputFile>, options: InputOptions) -> ValidatedInput {
        let problems = self.problems.into_sorted().into_iter();
        ValidatedInput {
            counts: self.counts,
            problems: problems.map(|(_, one)| one).collect(),
            expirations: self.expirations,
            inputs,
            options,
            skipped: self.skipped,
        }
    }
}

impl ValidatedInput {
    /// Whether anything is wrong, so that nothing may be used.
    pub(crate) fn has_problems(&self) -> bool {
        self.counts.invalid > 0 || self.counts.unreadable_inputs > 0
    }

    /// Each input's name, and what was found of how it holds its records.
    pub(crate) fn detected_formats(&self) -> impl Iterator<Item = (&str, &DetectedFormat)> {
        let inputs = self.inputs.iter();
        inputs.filter_map(|input| Some((&*input.name, input.detected_format()?)))
    }

    /// From now on reading may take so long.
    pub(crate) fn set_read_limits(&mut self, read_limits: &ReadLimits) {
        for input in &mut self.inputs {
            input.set_read_limits(read_limits.clone());
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
    pub(crate) fn find_positions(&mut self, tokens: &[&[u8]]) -> Vec<Option<(Arc<str>, Position)>> {
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
