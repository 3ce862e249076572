//! Parts of the input that error messages may show.
//!
//! A device token is a credential, and may be in the wrong column or in place of a header. A text is
//! therefore shown whole only if it cannot be a token. Of other texts the start and the length are
//! shown.

use std::fmt;

/// A text of the input, shortened so that it does not contain a whole token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Excerpt(String);

impl Excerpt {
    /// Shortens the text of a token: at most 4 characters are shown, and at most a third of it.
    pub(super) fn from_token(text: &str) -> Self {
        Self::shorten(text, 4)
    }

    /// Shortens the text of an expiration time, unless it is a short number or has the numbers of a
    /// date in the places of a date.
    pub(super) fn from_time(text: &str) -> Self {
        let is_number = text.chars().count() <= 10
            && text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
        if is_number || is_like_date(text) {
            return Self(text.to_owned());
        }
        Self::shorten(text, 8)
    }

    /// Shortens the name of a column or a key, unless it looks like a name: a file without a header
    /// row and an object that maps tokens to times have tokens as their names.
    pub(super) fn from_name(text: &str) -> Self {
        if is_like_name(text) {
            return Self(text.to_owned());
        }
        Self::shorten(text, 8)
    }

    /// Whether the text is shown whole.
    pub(super) fn is_whole(&self) -> bool {
        !self.0.contains('…')
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Shows at most `max_shown` characters, at most a third of the text, and its length.
    fn shorten(text: &str, max_shown: usize) -> Self {
        let length = text.chars().count();
        let shown: String = text.chars().take((length / 3).min(max_shown)).collect();
        let unit = if length == 1 {
            "character"
        } else {
            "characters"
        };
        Self(format!("{shown}… ({length} {unit})"))
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The most letters of a word in a name; "devicetoken" has as many.
const MAX_WORD_LETTERS: usize = 11;

const MAX_NAME_WORDS: usize = 4;

const MAX_NAME_DIGITS: usize = 2;

/// Whether a text is a few words, as `device_token`, `Expire Time` and `col2` are.
fn is_like_name(text: &str) -> bool {
    let mut words = 0;
    let mut letters = 0;
    let mut digits = 0;
    let mut previous = ' ';
    for c in text.chars() {
        if c.is_alphabetic() {
            // A capital letter starts a word, unless it follows another capital letter.
            if !previous.is_alphabetic() || (c.is_uppercase() && previous.is_lowercase()) {
                words += 1;
                letters = 0;
            }
            letters += 1;
            if letters > MAX_WORD_LETTERS || previous.is_numeric() {
                return false;
            }
        } else if c.is_numeric() {
            digits += 1;
        } else if !" _-.:/()#".contains(c) {
            return false;
        }
        previous = c;
    }
    words <= MAX_NAME_WORDS && digits <= MAX_NAME_DIGITS
}

/// Whether a text has the numbers of a date, which a time of day may follow.
fn is_like_date(text: &str) -> bool {
    let (date, time_of_day) = match text.split_once(['T', 't', ' ']) {
        Some((date, time_of_day)) => (date, time_of_day),
        None => (text, ""),
    };
    let numbers: Vec<&str> = date.split(['-', '/', '.']).collect();
    let [first, second, third] = numbers.as_slice() else {
        return false;
    };
    let is_number = |text: &str, max_digits: usize| {
        (1..=max_digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    is_number(first, 4)
        && is_number(second, 2)
        && is_number(third, 4)
        && time_of_day.len() <= 20
        && time_of_day
            .bytes()
            .all(|byte| b"0123456789:.+-Zz".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::Excerpt;

    #[test]
    fn shortens_a_time_that_could_be_a_token() {
        for (text, shown) in [
            ("31/12/2026", "31/12/2026"),
            ("4294967296", "4294967296"),
            ("1580962440000", "1580… (13 characters)"),
            ("00:11:22:33:44:55", "00:11… (17 characters)"),
            ("1234-5678-9012-3456", "1234-5… (19 characters)"),
            ("99-11-22-33-44-55", "99-11… (17 characters)"),
            ("1e9", "1e9"),
            ("2026-02-30T00:00:00+01:00", "2026-02-30T00:00:00+01:00"),
            ("tomorrow", "to… (8 characters)"),
            ("fadfadftetwtwtwt", "fadfa… (16 characters)"),
            ("356938035643809", "35693… (15 characters)"),
        ] {
            assert_eq!(Excerpt::from_time(text).as_str(), shown);
        }
    }

    #[test]
    fn shortens_a_name_that_could_be_a_token() {
        for name in [
            "id",
            "devicetoken",
            "device_token",
            "expireTime",
            "Expire Time (UTC)",
            "col2",
            "",
        ] {
            assert_eq!(Excerpt::from_name(name).as_str(), name);
        }
        for (name, shown) in [
            ("fadfadftetwtwtwt", "fadfa… (16 characters)"),
            ("token-98f3ab", "toke… (12 characters)"),
            ("abcdefghijkl", "abcd… (12 characters)"),
            ("a1b2c3", "a1… (6 characters)"),
            ("356938035643809", "35693… (15 characters)"),
        ] {
            assert_eq!(Excerpt::from_name(name).as_str(), shown);
        }
    }
}
