//! Problems in the input, with their positions.
//!
//! A fatal error is a problem that ends the pass over the input. After any other problem, the pass
//! continues with the next record.

use std::{
    fmt::{self, Display},
    sync::Arc,
};

use super::{
    position::{Position, PositionOffset},
    problem_kind::{ProblemKind, reason},
};

/// A problem in one of the inputs.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The name of the input.
    pub(crate) file: Arc<str>,
    /// `None` if the problem concerns the whole input.
    pub(crate) position: Option<Position>,
    pub(crate) kind: ProblemKind,
}

impl Problem {
    /// Converts the position from a part of an input to the whole input. `offset` counts the
    /// records and lines before the part.
    pub(super) fn shifted(mut self, offset: PositionOffset) -> Self {
        if let Some(position) = &mut self.position {
            position.record += offset.records;
            position.line += offset.lines;
        }
        self
    }
}

/// A problem in the current input. The reader does not know the name of the input, so
/// [`Self::into_problem`] adds the name.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) position: Option<Position>,
    /// Boxed to keep a `Result` with a record small, because problems are rare.
    pub(super) kind: Box<ProblemKind>,
    /// Whether the error ends the pass. A fatal error makes the input unreadable; any other error
    /// makes one record invalid.
    pub(super) is_fatal: bool,
}

impl ReadError {
    pub(super) fn fatal(position: Option<Position>, kind: ProblemKind) -> Self {
        Self {
            position,
            kind: Box::new(kind),
            is_fatal: true,
        }
    }

    pub(super) fn in_record(position: Position, kind: ProblemKind) -> Self {
        Self {
            position: Some(position),
            kind: Box::new(kind),
            is_fatal: false,
        }
    }

    pub(super) fn into_problem(self, file: &Arc<str>) -> Problem {
        Problem {
            file: Arc::clone(file),
            position: self.position,
            kind: *self.kind,
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, kind, .. } = self;
        match (kind, self.position) {
            (ProblemKind::CannotOpen(error), _) => {
                write!(f, "cannot open {file}: {}", reason(error))
            }
            (ProblemKind::CannotRead(error), _) => {
                write!(f, "cannot read {file}: {}", reason(error))
            }
            (_, Some(position)) => write!(f, "{file}: {position}: {kind}"),
            (_, None) => write!(f, "{file}: {kind}"),
        }
    }
}
