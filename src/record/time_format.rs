//! Formats of times that the user names, in the notation of strptime.

use jiff::{
    civil::{DateTime, date},
    fmt::strtime::BrokenDownTime,
    tz::TimeZone,
};

use super::time::TimeError;

/// A format that contains a whole date. The time of day is optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeFormat(String);

impl TimeFormat {
    /// Returns `None` if no text in this format is a date.
    pub(crate) fn new(format: &str) -> Option<Self> {
        // A directive for one digit, such as `%1d`, can read only the second example.
        const EXAMPLES: [DateTime; 2] = [
            date(2027, 12, 31).at(23, 59, 58, 0),
            date(2031, 1, 1).at(1, 1, 1, 0),
        ];
        let format = Self(format.to_owned());
        let can_read = |example: &DateTime| {
            let example = example.to_zoned_datetime(TimeZone::UTC).ok()?;
            let text = BrokenDownTime::from(&example).to_string(&format.0).ok()?;
            let parsed = format.match_text(text.as_bytes())?.ok()?;
            let has_date = parsed.to_date().is_ok() && parsed.to_time().is_ok();
            Some(has_date || parsed.timestamp().is_some())
        };
        let can_read_any = EXAMPLES
            .iter()
            .any(|example| can_read(example) == Some(true));
        can_read_any.then_some(format)
    }

    /// Returns `None` if the text is not in this format.
    pub(super) fn match_text(&self, text: &[u8]) -> Option<Result<BrokenDownTime, TimeError>> {
        let parsed = BrokenDownTime::parse(&self.0, text).ok()?;
        if parsed.second() == Some(59) && self.reads_leap_second(text) {
            return Some(Err(TimeError::LeapSecond));
        }
        // jiff accepts numbers without leading zeros, but 2027123 may be January 23 or December 3.
        let is_digits = text.iter().all(u8::is_ascii_digit);
        if is_digits && parsed.to_string(&self.0).ok()?.as_bytes() != text {
            return None;
        }
        Some(Ok(parsed))
    }

    /// jiff reads the second 60 as 59. A directive of seconds ends in `S` or `T`, and a literal
    /// letter does not match digits.
    fn reads_leap_second(&self, text: &[u8]) -> bool {
        self.0.match_indices(['S', 'T']).any(|(end, _)| {
            BrokenDownTime::parse_prefix(&self.0[..=end], text)
                .is_ok_and(|(_, length)| text[..length].ends_with(b"60"))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{super::time_rules::TimeRules, *};

    #[test]
    fn accepts_formats_of_whole_dates() {
        for format in [
            "%F",
            "%D",
            "%C%y-%m-%d",
            "%Y-%j",
            "%1d.%1m.%Y",
            "%s",
            "%Y %U %w",
            "é %F",
        ] {
            assert!(TimeFormat::new(format).is_some(), "{format}");
        }
        for format in ["", "%", "%%", "%d.%m.%y %q", "%m %Y", "%T", "%G-%V", "2027"] {
            assert!(TimeFormat::new(format).is_none(), "{format}");
        }
    }

    proptest! {
        #[test]
        fn reads_any_text_in_any_format(
            format in vec(select(vec![
                "%Y", "%m", "%d", "%H", "%M", "%S", "%T", "%z", "%Q", "%s", "%f", "%.f", "%y", "%j",
                "%b", "%p", "%G", "%V", "%u", "%C", "%9S", "%-d", "%:z", "%", " ", ".", "S", "ü", "%n",
            ]), 0..8),
            text in vec(select(vec![
                "2027", "12", "31", "60", "59", "0", "-1", "+0100", "Dec", "UTC", "PM", " ", ".", "S",
                "ü", "99999999999999999999",
            ]), 0..8),
        ) {
            let format = TimeFormat::new(&format.concat());
            let rules = TimeRules { formats: format.into_iter().collect(), ..TimeRules::default() };
            // The result does not matter: a panic fails the test.
            let _ = rules.parse(text.concat().as_bytes());
        }
    }
}
