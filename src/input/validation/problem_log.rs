//! The log of the first problems in the inputs, for the error message.

use crate::input::problem::Problem;

/// A log that keeps the first problems in the order of the inputs. Problems may be found in a
/// different order. For example, conflicting duplicates are found after all other problems.
pub(in crate::input) struct ProblemLog {
    /// The maximum number of problems to keep.
    max_problems: usize,
    problems: Vec<LoggedProblem>,
    /// The place of the last problem that the log kept when it was truncated, or `None` if the log
    /// has not been truncated yet.
    last_place: Option<Place>,
}

/// A problem with the index of its input.
pub(in crate::input) struct LoggedProblem {
    pub(in crate::input) input: usize,
    pub(in crate::input) problem: Problem,
}

/// The place of a problem. Places are ordered by input and then by record. A problem of the whole
/// input comes before the problems of the records in the input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    input: usize,
    record: Option<u64>,
}

/// The number of problems above the maximum at which the log is sorted and truncated.
const SORT_INTERVAL: usize = 64;

impl ProblemLog {
    pub(in crate::input) fn new(max_problems: usize) -> Self {
        Self {
            max_problems,
            problems: Vec::new(),
            last_place: None,
        }
    }

    /// Adds a problem of the input with the index `input`. May ignore the problem if the log
    /// already has `max_problems` problems at the same or earlier places.
    pub(in crate::input) fn add(&mut self, input: usize, problem: Problem) {
        let logged = LoggedProblem { input, problem };
        if self.last_place.is_some_and(|last| last <= logged.place()) {
            return;
        }
        self.problems.push(logged);
        if self.problems.len() >= self.max_problems.saturating_add(SORT_INTERVAL) {
            self.drop_excess();
            self.last_place = self.problems.last().map(LoggedProblem::place);
        }
    }

    /// Returns the first problems, sorted by place.
    pub(in crate::input) fn into_sorted(mut self) -> Vec<LoggedProblem> {
        self.drop_excess();
        self.problems
    }

    fn drop_excess(&mut self) {
        self.problems.sort_by_key(LoggedProblem::place);
        self.problems.truncate(self.max_problems);
    }
}

impl LoggedProblem {
    fn place(&self) -> Place {
        Place {
            input: self.input,
            record: self.problem.position.map(|position| position.record),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::input::{position::Position, problem_kind::ProblemKind};

    proptest! {
        #[test]
        fn keeps_the_first_problems_in_any_order_of_adding(
            records in proptest::collection::vec(0_u64..500, 0..400),
            max_problems in prop_oneof![0_usize..100, Just(usize::MAX)]
        ) {
            let file = Arc::from("a.csv");
            let mut log = ProblemLog::new(max_problems);
            for record in &records {
                let position = Some(Position { record: *record, line: 1, column: None });
                let kind = ProblemKind::NulByte;
                log.add(0, Problem { file: Arc::clone(&file), position, kind });
            }
            let kept = log.into_sorted();
            let kept: Vec<_> =
                kept.iter().filter_map(|logged| Some(logged.problem.position?.record)).collect();
            let mut expected = records;
            expected.sort_unstable();
            expected.truncate(max_problems);
            prop_assert_eq!(kept, expected);
        }
    }
}
