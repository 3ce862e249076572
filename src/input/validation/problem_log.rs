//! The first problems of many.

use crate::input::problem::Problem;

/// Keeps the first problems in the order of the input, in whatever order they are found:
/// duplicates are found last, wherever they stand.
pub(in crate::input) struct ProblemLog {
    most: usize,
    found: Vec<(usize, Problem)>,
    /// Where the last one stands that is kept, once there are as many.
    end: Option<Place>,
}

/// The place of the input among all, and the record's in it; what concerns the whole comes first.
type Place = (usize, Option<u64>);

/// How many more are held, so that they are seldom sorted.
const SPARE: usize = 64;

impl ProblemLog {
    pub(in crate::input) fn new(most: usize) -> Self {
        Self {
            most,
            found: Vec::new(),
            end: None,
        }
    }

    /// Adds a problem of the input at this place.
    pub(in crate::input) fn add(&mut self, input: usize, problem: Problem) {
        let found = (input, problem);
        if self.end.is_some_and(|end| end <= place(&found)) {
            return;
        }
        self.found.push(found);
        if self.found.len() >= self.most.saturating_add(SPARE) {
            self.cut();
            self.end = self.found.last().map(place);
        }
    }

    /// In their order, with their inputs' places.
    pub(in crate::input) fn into_sorted(mut self) -> Vec<(usize, Problem)> {
        self.cut();
        self.found
    }

    fn cut(&mut self) {
        self.found.sort_by_key(place);
        self.found.truncate(self.most);
    }
}

fn place((input, problem): &(usize, Problem)) -> Place {
    (*input, problem.position.map(|at| at.record))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::input::problem::{Position, ProblemKind};

    proptest! {
        #[test]
        fn whatever_the_order_the_first_are_kept(
            records in proptest::collection::vec(0_u64..500, 0..400),
            most in prop_oneof![0_usize..100, Just(usize::MAX)]
        ) {
            let file = Arc::from("a.csv");
            let mut first = ProblemLog::new(most);
            for record in &records {
                let at = Some(Position { record: *record, line: 1, column: None });
                first.add(0, Problem { file: Arc::clone(&file), position: at, kind: ProblemKind::NulByte });
            }
            let kept = first.into_sorted();
            let kept: Vec<_> = kept.iter().filter_map(|(_, one)| Some(one.position?.record)).collect();
            let mut expected = records;
            expected.sort_unstable();
            expected.truncate(most);
            prop_assert_eq!(kept, expected);
        }
    }
}
