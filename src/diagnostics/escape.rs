//! Escaping of text that messages quote.

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
