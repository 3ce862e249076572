//! Problems in the input, with their positions.
//!
//! A fatal error is a problem that ends the pass over the input. After any other problem, the pass
//! continues with the next record.

use std::{fmt, io};

use super::{
    position::{InputLabel, Position},
    problem_kind::ProblemKind,
};
use crate::user_path::reason_of;

#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) input: InputLabel,
    /// `None` if the problem concerns the whole input.
    pub(crate) position: Option<Position>,
    pub(crate) kind: ProblemKind,
}

/// A problem in an input whose name the reader does not know.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) position: Option<Position>,
    /// Boxed to keep a `Result` with a record small, because problems are rare.
    pub(super) kind: Box<ProblemKind>,
    /// A fatal error makes the input unreadable; any other error makes one record invalid.
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

    pub(super) fn into_problem(self, input: &InputLabel) -> Problem {
        Problem {
            input: input.clone(),
            position: self.position,
            kind: *self.kind,
        }
    }
}

impl From<ProblemKind> for ReadError {
    fn from(kind: ProblemKind) -> Self {
        Self::fatal(None, kind)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ProblemKind::from(error).into()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, kind) = (&self.input.name, &self.kind);
        match (kind, self.position) {
            (ProblemKind::CannotOpen(error), _) => {
                write!(f, "cannot open {file}: {}", reason_of(error))
            }
            (ProblemKind::CannotRead(error), _) => {
                write!(f, "cannot read {file}: {}", reason_of(error))
            }
            (_, Some(position)) => write!(f, "{file}: {position}: {kind}"),
            (_, None) => write!(f, "{file}: {kind}"),
        }
    }
}
