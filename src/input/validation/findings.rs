//! The findings of the passes over the inputs: counts, problems and expiration times.

use std::collections::BTreeMap;

use super::{
    super::{
        bytes::StreamError,
        position::InputLabel,
        problem::{Problem, ProblemClass, ProblemKind, ReadError},
    },
    duplicates::Duplicates,
    expirations::ExpirationCounts,
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ValidationCounts {
    pub(crate) read: u64,
    pub(crate) invalid: u64,
    /// Valid records that are not sent, because a different record with the same token is sent.
    pub(crate) duplicate: u64,
    /// Whether a duplicate has another expiration time than the record that is sent.
    pub(crate) has_different_times: bool,
    pub(crate) unreadable_inputs: u64,
    /// The total length of the tokens of valid records, duplicates included.
    pub(crate) token_bytes: u64,
    pub(crate) by_class: BTreeMap<ProblemClass, u64>,
}

impl ValidationCounts {
    pub(crate) fn valid(&self) -> u64 {
        self.read - self.invalid - self.duplicate
    }
}

pub(in crate::input) struct Findings {
    pub(in crate::input) counts: ValidationCounts,
    problems: ProblemLog,
    warnings: ProblemLog,
    pub(in crate::input) expirations: ExpirationCounts,
    /// The number of records before the part of the input that is being read.
    pub(in crate::input) records_before: u64,
    /// Whether the deadline or a signal has ended the reading.
    pub(in crate::input) is_stopped: bool,
}

impl Findings {
    /// `now` is the current time in Unix seconds.
    pub(in crate::input) fn new(now: u64, max_problems: usize) -> Self {
        Self {
            counts: ValidationCounts::default(),
            problems: ProblemLog::new(max_problems),
            warnings: ProblemLog::new(max_problems),
            expirations: ExpirationCounts::at(now),
            records_before: 0,
            is_stopped: false,
        }
    }

    pub(in crate::input) fn add_error(&mut self, input: &InputLabel, error: ReadError) {
        if error.is_fatal {
            return self.add_unreadable_input(error.into_problem(input));
        }
        self.counts.invalid += 1;
        *self.counts.by_class.entry(error.kind.class()).or_default() += 1;
        self.add_problem(error.into_problem(input));
    }

    pub(in crate::input) fn add_unreadable_input(&mut self, problem: Problem) {
        // Only the input that was being read at the deadline is counted as unreadable.
        if self.is_stopped {
            return;
        }
        self.is_stopped = matches!(
            problem.kind,
            ProblemKind::Stream(StreamError::DeadlinePassed | StreamError::Interrupted)
        );
        self.counts.unreadable_inputs += 1;
        self.add_problem(problem);
    }

    pub(in crate::input) fn add_problem(&mut self, problem: Problem) {
        self.problems.add(problem, self.records_before);
    }

    pub(super) fn add_duplicates(&mut self, found: &Duplicates) {
        self.counts.duplicate += found.duplicate_count;
        self.counts.has_different_times |= found.has_different_times;
        self.counts.invalid += found.conflict_count;
        if found.conflict_count > 0 {
            let class = ProblemClass::ConflictingDuplicate;
            *self.counts.by_class.entry(class).or_default() += found.conflict_count;
        }
    }

    pub(in crate::input) fn add_warning(&mut self, input: &InputLabel, warning: ReadError) {
        let warning = warning.into_problem(input);
        self.warnings.add(warning, self.records_before);
    }

    pub(in crate::input) fn append(&mut self, other: Self) {
        self.problems.append(other.problems, self.records_before);
        self.warnings.append(other.warnings, self.records_before);
        self.records_before += other.counts.read;
        self.counts.read += other.counts.read;
        self.counts.invalid += other.counts.invalid;
        self.counts.unreadable_inputs += other.counts.unreadable_inputs;
        self.counts.token_bytes += other.counts.token_bytes;
        for (class, count) in other.counts.by_class {
            *self.counts.by_class.entry(class).or_default() += count;
        }
        self.expirations.add_all(&other.expirations);
    }

    pub(in crate::input) fn problem_count(&self) -> usize {
        self.problems.problems.len()
    }

    pub(in crate::input) fn into_problems(self) -> FoundProblems {
        FoundProblems {
            problems: self.problems.problems.into_values().collect(),
            warning_count: self.warnings.added,
            warnings: self.warnings.problems.into_values().collect(),
        }
    }
}

/// The first problems and the first warnings, in the order of the input.
pub(in crate::input) struct FoundProblems {
    pub(in crate::input) problems: Vec<Problem>,
    pub(in crate::input) warnings: Vec<Problem>,
    pub(in crate::input) warning_count: usize,
}

/// Conflicting duplicates are found after all other problems.
struct ProblemLog {
    max_problems: usize,
    added: usize,
    problems: BTreeMap<Place, Problem>,
}

/// A problem of the whole input comes before the problems of its records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    input: usize,
    record: Option<u64>,
    /// Keeps apart the problems of one record.
    number: usize,
}

impl ProblemLog {
    fn new(max_problems: usize) -> Self {
        Self {
            max_problems,
            added: 0,
            problems: BTreeMap::new(),
        }
    }

    fn append(&mut self, other: Self, records_before: u64) {
        let hidden = other.added - other.problems.len();
        for problem in other.problems.into_values() {
            self.add(problem, records_before);
        }
        self.added += hidden;
    }

    fn add(&mut self, mut problem: Problem, records_before: u64) {
        if let Some(position) = &mut problem.position {
            position.record += records_before;
        }
        let place = Place {
            input: problem.input.index,
            record: problem.position.map(|position| position.record),
            number: self.added,
        };
        self.added += 1;
        self.problems.insert(place, problem);
        if self.problems.len() > self.max_problems {
            self.problems.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::input::position::Position;

    proptest! {
        #[test]
        fn keeps_the_first_problems_in_any_order_of_adding(
            records in proptest::collection::vec(1_u64..500, 0..400),
            max_problems in prop_oneof![0_usize..100, Just(usize::MAX)]
        ) {
            let label = InputLabel { index: 0, name: "a.csv".into() };
            let mut findings = Findings::new(0, max_problems);
            for record in &records {
                let position = Position { record: *record, line: 1, column: None };
                findings.add_error(&label, ReadError::in_record(position, ProblemKind::NulByte));
            }
            let kept = findings.into_problems().problems;
            let kept: Vec<_> =
                kept.iter().filter_map(|problem| Some(problem.position?.record)).collect();
            let mut expected = records;
            expected.sort_unstable();
            expected.truncate(max_problems);
            prop_assert_eq!(kept, expected);
        }
    }
}
