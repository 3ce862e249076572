//! One first pass over all inputs, and further passes if a token seems to occur more than once.

use std::{
    collections::HashMap,
    mem,
    ops::ControlFlow,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::{
    super::{
        bytes::{InputSource, ReadLimits},
        detect::DetectedFormat,
        file::InputFile,
        options::InputOptions,
        position::{FilePosition, RecordLocation},
        problem::{Problem, ProblemKind, ReadError},
    },
    duplicates::{BATCH_RECORDS, Conflict, DuplicateFinder, Duplicates, RepeatedTokens},
    expirations::ExpirationCounts,
    expiring::ExpiringRecord,
    findings::{Findings, ValidationCounts},
    first_pass::FirstPass,
    record_set::RecordSet,
    records::Records,
    rules::ValidationRules,
    token_hashes::RepeatedHashes,
};
use crate::record::Record;

const MAX_QUEUED_BATCHES: usize = 16;

pub(crate) fn validate(
    sources: &[InputSource],
    options: InputOptions,
    rules: &ValidationRules<'_>,
) -> ValidatedInput {
    let mut first_pass = FirstPass::new(rules);
    let mut inputs = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        inputs.extend(first_pass.read_input(index, source, &options));
    }
    let mut passes = FurtherPasses {
        rules,
        options: &options,
        inputs: &mut inputs,
        findings: first_pass.findings,
    };
    let skipped = passes.find_duplicates(first_pass.hashes.into_repeated());
    let findings = passes.findings;
    ValidatedInput::new(findings, inputs, options, skipped)
}

struct FurtherPasses<'r> {
    rules: &'r ValidationRules<'r>,
    options: &'r InputOptions,
    inputs: &'r mut [InputFile],
    findings: Findings,
}

impl FurtherPasses<'_> {
    fn find_duplicates(&mut self, repeated: RepeatedHashes) -> RecordSet {
        if repeated.hashes.is_empty() {
            return RecordSet::default();
        }
        let found = self.compare_tokens(&RepeatedTokens::new(repeated));
        self.findings.add_duplicates(&found);
        self.report_conflicts(&found.conflicts);
        let expirations = &mut self.findings.expirations;
        expirations.remove_all(&found.equal_times);
        expirations.remove_all(&found.other_times);
        // An equal time remains, because another record has it.
        if expirations.has_end_of(&found.other_times) {
            self.recount_expirations(&found.skipped);
        }
        found.skipped
    }

    /// If many tokens are repeated, a second thread looks up the records that this thread reads.
    fn compare_tokens(&mut self, repeated: &RepeatedTokens) -> Duplicates {
        let rules = self.rules;
        let (policy, max_problems) = (rules.on_duplicate, rules.max_problems);
        let finder = DuplicateFinder::new(repeated, policy, max_problems, rules.now);
        let finder = Mutex::new(finder);
        let look_up = |batch| {
            let finder = finder.lock();
            finder
                .unwrap_or_else(PoisonError::into_inner)
                .look_up(batch);
        };
        let look_up = &look_up;
        thread::scope(|threads| {
            let (sender, receiver) = mpsc::sync_channel(MAX_QUEUED_BATCHES);
            if repeated.is_sparse() {
                drop(receiver);
            } else {
                let look_up_all = move || receiver.into_iter().for_each(look_up);
                drop(thread::Builder::new().spawn_scoped(threads, look_up_all));
            }
            let queue = |batch| {
                // Without a second thread, the receiver is gone.
                if let Err(mpsc::SendError(batch)) = sender.send(batch) {
                    look_up(batch);
                }
            };
            let mut batch = Vec::with_capacity(BATCH_RECORDS);
            self.for_each_record(&RecordSet::default(), |_, location, record| {
                batch.extend(repeated.hash(record, location.index));
                if batch.len() == BATCH_RECORDS {
                    queue(mem::replace(&mut batch, Vec::with_capacity(BATCH_RECORDS)));
                }
                ControlFlow::Continue(())
            });
            queue(batch);
        });
        let finder = finder.into_inner();
        finder.unwrap_or_else(PoisonError::into_inner).found
    }

    /// Reads the records again up to the last of the conflicts, to find their positions and tokens.
    fn report_conflicts(&mut self, conflicts: &[Conflict]) {
        let Some(last) = conflicts.last() else {
            return;
        };
        let first_of = |index| {
            let found = conflicts.binary_search_by_key(&index, |conflict| conflict.index);
            found.ok().map(|at| conflicts[at].first_index)
        };
        let mut firsts: HashMap<usize, Option<FilePosition>> = conflicts
            .iter()
            .map(|conflict| (conflict.first_index, None))
            .collect();
        self.for_each_record(&RecordSet::default(), |findings, location, record| {
            if let Some(position) = firsts.get_mut(&location.index) {
                *position = Some(location.to_file_position());
            }
            let first = first_of(location.index).and_then(|first| firsts.get(&first)?.clone());
            if let Some(first) = first {
                let token = record.token.to_string();
                let kind = ProblemKind::ConflictingDuplicate { token, first };
                let error = ReadError::in_record(location.position, kind);
                findings.add_problem(error.into_problem(location.input));
            }
            if location.index == last.index {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
    }

    fn recount_expirations(&mut self, skipped: &RecordSet) {
        self.findings.expirations = ExpirationCounts::at(self.rules.now);
        self.for_each_record(skipped, |findings, _, record| {
            findings.expirations.add(record.expire_time);
            ControlFlow::Continue(())
        });
    }

    fn for_each_record(
        &mut self,
        skipped: &RecordSet,
        mut use_record: impl FnMut(&mut Findings, RecordLocation<'_>, &Record<'_>) -> ControlFlow<()>,
    ) {
        let Self {
            rules,
            options,
            inputs,
            findings,
        } = self;
        let mut records = Records::new(inputs, options, skipped, Some(*rules));
        while !findings.is_stopped {
            let used = records
                .next_with_location(|location, record| use_record(findings, location, record));
            match used {
                Ok(Some(ControlFlow::Continue(()))) => {}
                Ok(Some(ControlFlow::Break(())) | None) => break,
                Err(problem) => findings.add_unreadable_input(problem),
            }
        }
    }
}

/// The records may be used only if [`ValidatedInput::has_problems`] returns `false`.
#[derive(Debug)]
pub(crate) struct ValidatedInput {
    pub(crate) counts: ValidationCounts,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) warning_count: usize,
    pub(crate) expirations: ExpirationCounts,
    inputs: Vec<InputFile>,
    options: InputOptions,
    skipped: RecordSet,
}

impl ValidatedInput {
    pub(in crate::input) fn new(
        findings: Findings,
        inputs: Vec<InputFile>,
        options: InputOptions,
        skipped: RecordSet,
    ) -> Self {
        let (counts, expirations) = (findings.counts.clone(), findings.expirations.clone());
        let found = findings.into_problems();
        Self {
            counts,
            expirations,
            problems: found.problems,
            warnings: found.warnings,
            warning_count: found.warning_count,
            inputs,
            options,
            skipped,
        }
    }

    pub(crate) fn has_problems(&self) -> bool {
        self.counts.invalid > 0 || self.counts.unreadable_inputs > 0
    }

    pub(crate) fn detected_formats(&self) -> impl Iterator<Item = (&str, &DetectedFormat)> {
        let inputs = self.inputs.iter();
        inputs.filter_map(|input| Some((&*input.label.name, input.detected_format()?)))
    }

    pub(crate) fn set_read_limits(&mut self, read_limits: &ReadLimits) {
        for input in &mut self.inputs {
            input.set_read_limits(read_limits.clone());
        }
    }

    /// Decides which records the next passes return, in batches. `are_kept` receives the values that
    /// `summarize` returned for the records of one batch, and returns for each of them whether its
    /// record is kept.
    pub(crate) fn retain<T>(
        &mut self,
        mut summarize: impl FnMut(&Record<'_>) -> T,
        mut are_kept: impl FnMut(&[T]) -> Vec<bool>,
    ) -> Result<(), Problem> {
        let mut skipped = self.skipped.clone();
        let mut records = self.records();
        let (mut indices, mut batch) = (Vec::new(), Vec::new());
        let mut is_end = false;
        while !is_end {
            let added = records.next_with_location(|location, record| {
                indices.push(location.index);
                batch.push(summarize(record));
            });
            is_end = added?.is_none();
            if is_end || batch.len() == BATCH_RECORDS {
                let decided = indices.drain(..).zip(are_kept(&batch));
                for (index, _) in decided.filter(|(_, is_kept)| !is_kept) {
                    skipped.insert(index);
                }
                batch.clear();
            }
        }
        drop(records);
        self.skipped = skipped;
        Ok(())
    }

    /// Returns the first values that `find` returns for the records, at most `max`.
    pub(crate) fn find_first<T>(
        &mut self,
        max: usize,
        mut find: impl FnMut(RecordLocation<'_>, &Record<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Problem> {
        let mut found = Vec::new();
        let mut records = self.records();
        while found.len() < max
            && let Some(value) = records.next_with_location(&mut find)?
        {
            found.extend(value);
        }
        Ok(found)
    }

    /// Returns the records that expire less than `period` from now, in the order of the input.
    pub(crate) fn find_expiring(
        &mut self,
        period: Duration,
    ) -> Result<Vec<ExpiringRecord>, Problem> {
        let now = self.expirations.now;
        self.find_first(usize::MAX, |location, record| {
            let seconds_left = u64::from(record.expire_time.as_unix()).checked_sub(now)?;
            (Duration::from_secs(seconds_left) < period)
                .then(|| ExpiringRecord::new(&location, record))
        })
    }

    /// A position is `None` if the token is no longer found, because the input has changed.
    pub(crate) fn find_positions(&mut self, tokens: &[&[u8]]) -> Vec<Option<FilePosition>> {
        let mut positions = vec![None; tokens.len()];
        let mut records = self.records();
        let mut missing = tokens.len();
        while missing > 0 {
            let result = records.next_with_location(|location, record| {
                let token = record.token.as_bytes();
                let Some(index) = tokens.iter().position(|wanted| *wanted == token) else {
                    return;
                };
                positions[index] = Some(location.to_file_position());
                missing -= 1;
            });
            if !matches!(result, Ok(Some(()))) {
                break;
            }
        }
        positions
    }

    pub(crate) fn records(&mut self) -> Records<'_> {
        Records::new(&mut self.inputs, &self.options, &self.skipped, None)
    }
}
