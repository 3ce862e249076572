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
            return Self(text.to_owned());
        }
        Self::shortened(text, text.chars().count(), SHOWN_CHARS)
    }

    pub(super) fn shows_whole(text: &str) -> bool {
        let is_date = |c: char| c.is_ascii_digit() || "-+/.,: TtZz".contains(c);
        let length = text.chars().count();
        length <= MAX_CHARS || (length <= MAX_DATE_CHARS && text.chars().all(is_date))
    }

    /// Returns the text without quotes, which may be shortened.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn shortened(text: &str, length: usize, shown: usize) -> Self {
        if text.is_empty() {
            return Self(String::new());
        }
        let shown: String = text.chars().take(shown).collect();
        let plural = if length == 1 { "" } else { "s" };
        Self(format!("{shown}… ({length} character{plural})"))
    }
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
