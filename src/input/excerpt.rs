//! Parts of the input that error messages may show.

use std::fmt;

/// The maximum number of characters that are shown whole. A longer text may be a token, which is a
/// credential, in the wrong column or in the place of a name.
const MAX_CHARS: usize = 15;

const MAX_DATE_CHARS: usize = 40;

const SHOWN_CHARS: usize = 4;

/// Text of the input as a message shows it: in quotes, and shortened where it may be a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt(String);

impl Excerpt {
    /// Masks a token: shows at most 4 of its characters and at most a third of them.
    pub(super) fn from_token(text: &str) -> Self {
        let length = text.chars().count();
        Self::shortened(text, length, SHOWN_CHARS.min(length / 3))
    }

    pub(super) fn from_text(text: &str) -> Self {
        if Self::shows_whole(text) {
            return Self(escape_invisible(text.chars()));
        }
        Self::shortened(text, text.chars().count(), SHOWN_CHARS)
    }

    pub(super) fn shows_whole(text: &str) -> bool {
        let is_date = |c: char| c.is_ascii_digit() || "-+/.,: TtZz".contains(c);
        let length = text.chars().count();
        length <= MAX_CHARS || (length <= MAX_DATE_CHARS && text.chars().all(is_date))
    }

    /// Returns whether a hint may contain the text, and the user can paste it.
    pub(super) fn shows_exactly(text: &str) -> bool {
        Self::shows_whole(text) && text.chars().all(is_visible)
    }

    /// Returns the text without quotes, which may be shortened.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn shortened(text: &str, length: usize, shown: usize) -> Self {
        if text.is_empty() {
            return Self(String::new());
        }
        let shown = escape_invisible(text.chars().take(shown));
        let plural = if length == 1 { "" } else { "s" };
        Self(format!("{shown}… ({length} character{plural})"))
    }
}

fn is_visible(c: char) -> bool {
    "'\"\\".contains(c) || c.escape_debug().len() == 1
}

/// Escapes control, format and combining characters, and white space other than the space.
fn escape_invisible(text: impl Iterator<Item = char>) -> String {
    let mut escaped = String::new();
    for c in text {
        if is_visible(c) {
            escaped.push(c);
        } else {
            escaped.extend(c.escape_debug());
        }
    }
    escaped
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Excerpt;

    #[test]
    fn shortens_long_text_unless_it_is_a_date() {
        for (text, shown) in [
            ("", ""),
            ("expire_time", "expire_time"),
            ("a\u{200b}\u{feff}'é\"\\\n", "a\\u{200b}\\u{feff}'é\"\\\\n"),
            (
                "\u{202e}\u{a0}too long to show",
                "\\u{202e}\\u{a0}to… (18 characters)",
            ),
            ("123456789012abc", "123456789012abc"),
            ("fadfadftetwtwtwt", "fadf… (16 characters)"),
            ("1580962440000", "1580962440000"),
            ("2026-02-30T00:00:00+01:00", "2026-02-30T00:00:00+01:00"),
            (
                "1234567890123456789012345678901234567890",
                "1234567890123456789012345678901234567890",
            ),
            (
                "12345678901234567890123456789012345678901",
                "1234… (41 characters)",
            ),
        ] {
            assert_eq!(Excerpt::from_text(text).to_string(), format!("\"{shown}\""));
        }
    }

    #[test]
    fn masks_tokens() {
        for (text, shown) in [
            ("", ""),
            ("a", "… (1 character)"),
            ("abc", "a… (3 characters)"),
            ("fadfadftetwtwtwt", "fadf… (16 characters)"),
        ] {
            assert_eq!(
                Excerpt::from_token(text).to_string(),
                format!("\"{shown}\"")
            );
        }
    }
}
