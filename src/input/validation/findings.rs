//! The findings of the passes over the inputs: counts, problems and expiration times.

use std::sync::Arc;

use super::{
    super::{
        bytes::StreamError,
        position::{Position, PositionOffset},
        problem::{Problem, ReadError},
        problem_kind::ProblemKind,
    },
    counts::ValidationCounts,
    expirations::ExpirationCounts,
    problem_log::ProblemLog,
    rules::ValidationRules,
};

/// The findings of all passes so far.
pub(in crate::input) struct Findings {
    pub(in crate::input) counts: ValidationCounts,
    pub(in crate::input) problems: ProblemLog,
    pub(in crate::input) expirations: ExpirationCounts,
    /// The numbers of records and lines before the part of the input that is being read.
    pub(in crate::input) offset: PositionOffset,
    /// Whether the deadline passed or a signal arrived. No more input is read afterwards.
    pub(in crate::input) is_stopped: bool,
}

/// The input that a finding belongs to.
#[derive(Clone, Copy)]
pub(in crate::input) struct InputLabel<'n> {
    pub(in crate::input) name: &'n Arc<str>,
    /// The index of the input among all inputs, or of the chunk in its input if a thread reads
    /// chunks. Problems are sorted by this index.
    pub(in crate::input) index: usize,
}

impl Findings {
    pub(in crate::input) fn new(rules: &ValidationRules<'_>) -> Self {
        Self {
            counts: ValidationCounts::default(),
            problems: ProblemLog::new(rules.max_problems),
            expirations: ExpirationCounts::at(rules.now),
            offset: PositionOffset::default(),
            is_stopped: false,
        }
    }

    /// Counts a record as invalid.
    pub(in crate::input) fn add_invalid_record(
        &mut self,
        input: InputLabel<'_>,
        position: Position,
        kind: ProblemKind,
    ) {
        self.counts.invalid += 1;
        let class = kind.class();
        *self.counts.by_class.entry(class).or_default() += 1;
        self.add_problem(input, Some(position), kind);
    }

    /// Counts an input as unreadable because of a fatal error.
    pub(in crate::input) fn add_unreadable_input(
        &mut self,
        input: InputLabel<'_>,
        error: ReadError,
    ) {
        // After the deadline, no input can be read. Only the input that was being read at the
        // deadline is counted as unreadable.
        if self.is_stopped {
            return;
        }
        self.is_stopped = matches!(
            *error.kind,
            ProblemKind::Stream(StreamError::DeadlinePassed | StreamError::Interrupted)
        );
        self.counts.unreadable_inputs += 1;
        self.add_problem(input, error.position, *error.kind);
    }

    fn add_problem(
        &mut self,
        input: InputLabel<'_>,
        position: Option<Position>,
        kind: ProblemKind,
    ) {
        let problem = Problem {
            file: Arc::clone(input.name),
            position,
            kind,
        };
        self.problems.add(input.index, problem.shifted(self.offset));
    }
}
