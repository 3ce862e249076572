//! Parts of the input that error messages may show.
//!
//! A device token is a credential, so an error message must not show a whole token. A token may be
//! in the wrong column or in place of a column name. A message therefore shows a whole string only
//! if the string cannot be a token. All other strings are shortened to their first characters and
//! their length.

use std::fmt;

/// A string from the input. A string that could be a token is shortened.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Excerpt(String);

impl Excerpt {
    /// Shortens a token to at most 4 characters and at most a third of its characters.
    pub(super) fn from_token(text: &str) -> Self {
        Self::shorten(text, 4)
    }

    /// Shortens an expiration time, unless the string is a number of at most 10 characters or looks
    /// like a date.
    pub(super) fn from_time(text: &str) -> Self {
        let is_number = text.chars().count() <= 10
            && text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
        if is_number || is_like_date(text) {
            return Self(text.to_owned());
        }
        Self::shorten(text, 8)
    }

    /// Shortens the name of a column or key, unless the string looks like a name. The string may be
    /// a token if the file has no header row, or if a JSON object maps tokens to expiration times.
    pub(super) fn from_name(text: &str) -> Self {
        if is_like_name(text) {
            return Self(text.to_owned());
        }
        Self::shorten(text, 8)
    }

    /// Returns whether the whole string is shown.
    pub(super) fn is_whole(&self) -> bool {
        !self.0.contains('…')
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Shortens a string to at most `max_shown` of its characters and at most a third of them, and
    /// appends the length of the string.
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

/// The maximum number of letters in one word of a name, which is the length of "devicetoken".
const MAX_WORD_LETTERS: usize = 11;

const MAX_NAME_WORDS: usize = 4;

const MAX_NAME_DIGITS: usize = 2;

/// Returns whether a string consists of a few words, like `device_token`, `Expire Time` and `col2`.
fn is_like_name(text: &str) -> bool {
    let mut words = 0;
    let mut letters = 0;
    let mut digits = 0;
    let mut previous = ' ';
    for c in text.chars() {
        if c.is_alphabetic() {
            // A word starts at a letter after a non-letter, and at a capital after a lowercase
            // letter.
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

/// Returns whether a string consists of the three numbers of a date and an optional time of day.
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
