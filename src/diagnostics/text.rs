//! Formatting of a [`Failure`] as text. Its `Serialize` implementation formats the failure as JSON.

use std::fmt::{self, Write as _};

use super::{escape::escape, failure::Failure, problem::InputProblem};

/// Writes the problems of the input, the message, the causes and the hint, each on its own line.
///
/// Control characters are escaped, because the text may quote servers, certificates and file names.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_other = |problem: &&InputProblem| problem.message != self.message;
        for problem in self.problems.iter().filter(is_other) {
            writeln!(f, "{}", problem.to_line("error"))?;
        }
        writeln!(f, "error: {}", describe(self))
    }
}

/// Returns the message, the causes and the hint, without the problems of the input.
pub(super) fn describe(failure: &Failure) -> String {
    let mut text = escape(&failure.message);
    for cause in &failure.causes {
        let _ = write!(text, "\ncaused by: {}", escape(cause));
    }
    if let Some(hint) = &failure.hint {
        let _ = write!(text, "\nhint: {}", escape(hint));
    }
    text
}
