//! Formatting of a [`Failure`] as text. Its `Serialize` implementation formats the failure as JSON.

use std::fmt;

use super::{escape::escape, failure::Failure};

/// Writes the problems of the input, the message, the causes and the hint, each on its own line.
///
/// Control characters are escaped, because the text may quote servers, certificates and file names.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{}", problem.to_line("error"))?;
        }
        writeln!(f, "error: {}", escape(&self.message))?;
        for cause in &self.causes {
            writeln!(f, "caused by: {}", escape(cause))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "hint: {}", escape(hint))?;
        }
        Ok(())
    }
}
