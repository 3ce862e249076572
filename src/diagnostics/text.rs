//! Formatting of a [`Failure`] as text. Its `Serialize` implementation formats the failure as JSON.

use std::fmt;

use super::failure::Failure;

/// Writes the message, the causes and the hint, each on its own line.
///
/// Control characters are escaped, because the text may quote servers, certificates and file names.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// Escapes control characters, which a terminal would obey, and invisible characters, such as those
/// that change the direction of text, which could hide or reorder a part of the message.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let changes_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || changes_direction {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_control_and_direction_characters() {
        assert_eq!(
            escape("a\u{1b}[31m\r\n\u{202e}\u{9b}é"),
            "a\\u{1b}[31m\\r\\n\\u{202e}\\u{9b}é"
        );
    }
}
