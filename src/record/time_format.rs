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
        Some(
            if parsed.second() == Some(59) && self.reads_leap_second(text) {
                Err(TimeError::LeapSecond)
            } else {
                Ok(parsed)
            },
        )
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
