//! The rules by which the text of an expiration time is read.

use std::ops::RangeInclusive;

use jiff::{
    Timestamp,
    civil::{Date, Time},
    fmt::strtime::BrokenDownTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::{
    date_time_text::DateTimeText,
    time::{ExpireTime, TimeError},
    time_format::TimeFormat,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    #[default]
    Seconds,
    Milliseconds,
}

#[derive(Clone, Debug)]
pub(crate) struct TimeRules {
    pub(crate) unit: TimeUnit,
    /// The time zone of dates and times without an offset.
    pub(crate) zone: TimeZone,
    /// Tried in this order, before the other formats.
    pub(crate) formats: Vec<TimeFormat>,
    /// The time of day of a date without one.
    pub(crate) default_time: Time,
}

/// The integers that probably mean milliseconds. As seconds, all of them are after the year 5000.
const LIKELY_MILLISECONDS: RangeInclusive<u64> = 100_000_000_000..=4_294_967_295_999;

/// An integer that is out of range in every unit, and a whole number of seconds in milliseconds.
const TOO_LARGE: u64 = u64::MAX / 1000 * 1000;

const MAX_DIGITS: usize = 19;

fn parse_digits(text: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    let zeros = || text.iter().take_while(|digit| **digit == b'0').count();
    if text.len() > MAX_DIGITS && text.len() - zeros() > MAX_DIGITS {
        value = TOO_LARGE;
    }
    Some(value)
}

impl Default for TimeRules {
    fn default() -> Self {
        Self {
            unit: TimeUnit::Seconds,
            zone: TimeZone::UTC,
            formats: Vec::new(),
            default_time: Time::midnight(),
        }
    }
}

impl TimeRules {
    /// Accepts the user's formats, and dates and times as in RFC 3339 section 5.6, but the offset,
    /// the seconds and the whole time of day are optional. An integer is not converted to floating
    /// point, which would round it.
    pub(crate) fn parse(&self, text: &[u8]) -> Result<ExpireTime, TimeError> {
        if self.formats.is_empty() {
            return self.parse_built_in(text);
        }
        let mut formats = self.formats.iter();
        match formats.find_map(|format| format.match_text(text)) {
            Some(parsed) => self.resolve_parsed(&parsed?),
            None => self.parse_built_in(text).map_err(|error| match error {
                TimeError::UnknownFormat => TimeError::NoFormatMatches,
                error => error,
            }),
        }
    }

    fn parse_built_in(&self, text: &[u8]) -> Result<ExpireTime, TimeError> {
        if text.is_empty() {
            return Err(TimeError::Empty);
        }
        if let Some(value) = parse_digits(text) {
            return self.resolve_integer(value);
        }
        match DateTimeText::split(text) {
            Some(date_time) => self.resolve_text(&date_time),
            None if is_number(text) => Err(TimeError::NotInteger),
            None => Err(match str::from_utf8(text) {
                Err(_) => TimeError::NotUtf8,
                Ok(text) if text.trim() != text => TimeError::SurroundingWhitespace,
                Ok(_) => TimeError::UnknownFormat,
            }),
        }
    }

    fn resolve_integer(&self, value: u64) -> Result<ExpireTime, TimeError> {
        let seconds = match self.unit {
            TimeUnit::Seconds => value,
            TimeUnit::Milliseconds if value.is_multiple_of(1000) => value / 1000,
            TimeUnit::Milliseconds => return Err(TimeError::NotWholeSecond),
        };
        u32::try_from(seconds)
            .map(ExpireTime::from_unix)
            .map_err(|_| match self.unit {
                TimeUnit::Milliseconds => TimeError::MillisecondsOutOfRange,
                TimeUnit::Seconds => TimeError::IntegerOutOfRange {
                    looks_like_milliseconds: LIKELY_MILLISECONDS.contains(&value),
                },
            })
    }

    fn resolve_text(&self, text: &DateTimeText) -> Result<ExpireTime, TimeError> {
        let is_leap_second = text.second == 60;
        let second = if is_leap_second { 59 } else { text.second };
        let date = Date::new(text.year, text.month, text.day);
        let time = Time::new(text.hour, text.minute, second, 0);
        let (Ok(date), Ok(time)) = (date, time) else {
            return Err(TimeError::InvalidDateTime);
        };
        if is_leap_second {
            return Err(TimeError::LeapSecond);
        }
        if text.has_fraction {
            return Err(TimeError::FractionalSecond);
        }
        let offset = text.offset_seconds.map(Offset::from_seconds).transpose();
        let offset = offset.map_err(|_| TimeError::InvalidDateTime)?;
        let time = text.has_time.then_some(time);
        self.resolve(date, time, offset, &self.zone, false)
    }

    fn resolve_parsed(&self, parsed: &BrokenDownTime) -> Result<ExpireTime, TimeError> {
        if parsed
            .subsec_nanosecond()
            .is_some_and(|fraction| fraction != 0)
        {
            return Err(TimeError::FractionalSecond);
        }
        if let Some(timestamp) = parsed.timestamp() {
            return from_timestamp(timestamp);
        }
        let (Ok(date), Ok(time)) = (parsed.to_date(), parsed.to_time()) else {
            return Err(TimeError::InvalidDateTime);
        };
        let time = parsed.hour().map(|_| time);
        let zone = match parsed.iana_time_zone() {
            Some(name) => &TimeZone::get(name).map_err(|_| TimeError::UnknownTimeZone)?,
            None => &self.zone,
        };
        self.resolve(date, time, parsed.offset(), zone, true)
    }

    /// The offset overrides the time zone.
    fn resolve(
        &self,
        date: Date,
        time: Option<Time>,
        offset: Option<Offset>,
        zone: &TimeZone,
        is_in_format: bool,
    ) -> Result<ExpireTime, TimeError> {
        let civil = date.to_datetime(time.unwrap_or(self.default_time));
        let offset = match offset {
            Some(offset) => offset,
            None => match zone.to_ambiguous_timestamp(civil).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset,
                AmbiguousOffset::Gap { .. } => {
                    return Err(TimeError::SkippedLocalTime { is_in_format });
                }
                AmbiguousOffset::Fold { .. } => {
                    return Err(TimeError::AmbiguousLocalTime { is_in_format });
                }
            },
        };
        let timestamp = offset.to_timestamp(civil);
        from_timestamp(timestamp.map_err(|_| TimeError::DateOutOfRange)?)
    }
}

fn from_timestamp(timestamp: Timestamp) -> Result<ExpireTime, TimeError> {
    u32::try_from(timestamp.as_second())
        .map(ExpireTime::from_unix)
        .map_err(|_| TimeError::DateOutOfRange)
}

fn is_number(text: &[u8]) -> bool {
    // `f64` also parses the words "inf" and "NaN".
    let starts_number = |first: &u8| first.is_ascii_digit() || b"+-.".contains(first);
    text.first().is_some_and(starts_number)
        && str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(unit: TimeUnit, zone: &str) -> TimeRules {
        TimeRules {
            unit,
            zone: TimeZone::get(zone).expect("a zone of the time zone database"),
            ..TimeRules::default()
        }
    }

    fn parse(text: &str) -> Result<u32, TimeError> {
        let rules = rules(TimeUnit::Seconds, "UTC");
        rules.parse(text.as_bytes()).map(ExpireTime::as_unix)
    }

    #[test]
    fn parses_integers_and_dates() {
        for (text, seconds) in [
            ("0", 0),
            ("4294967295", u32::MAX),
            ("0001580962440", 1_580_962_440),
            ("00000000000000000000000000000001", 1),
            ("2020-02-06", 1_580_947_200),
            ("2020-02-06T04:14:00Z", 1_580_962_440),
            ("2020-02-06t04:14:00z", 1_580_962_440),
            ("2020-02-06 04:14:00Z", 1_580_962_440),
            ("2020-02-06T04:14", 1_580_962_440),
            ("2020-02-06T04:14Z", 1_580_962_440),
            ("2020-02-06T04:14:00.000Z", 1_580_962_440),
            ("2020-02-06T06:14:00+02:00", 1_580_962_440),
            ("2020-02-05T23:14-05:00", 1_580_962_440),
            ("2020-02-06T04:14:00-00:00", 1_580_962_440),
            ("2106-02-07T06:28:15Z", u32::MAX),
            ("1969-12-31T23:00:00-01:00", 0),
            // PostgreSQL, strftime, `date +"%F %T %z"`, BigQuery and SQL Server.
            ("2020-02-06 04:14:00+00", 1_580_962_440),
            ("2020-02-06 09:44:00+0530", 1_580_962_440),
            ("2020-02-05 23:14:00.000000-05", 1_580_962_440),
            ("2020-02-06 06:14:00 +0200", 1_580_962_440),
            ("2020-02-06 04:14:00 UTC", 1_580_962_440),
            ("2020-02-06 04:14 utc", 1_580_962_440),
            ("2020-02-06 04:14:00 Z", 1_580_962_440),
            ("2020-02-06 06:14:00.0000000 +02:00", 1_580_962_440),
            ("2020-02-06T04:14:00.00000000000000000000Z", 1_580_962_440),
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn rejects_other_texts_with_the_reason() {
        let out_of_range = |looks_like_milliseconds| TimeError::IntegerOutOfRange {
            looks_like_milliseconds,
        };
        for (text, error) in [
            ("", TimeError::Empty),
            (" 1", TimeError::SurroundingWhitespace),
            ("1 ", TimeError::SurroundingWhitespace),
            ("-1", TimeError::NotInteger),
            ("+1", TimeError::NotInteger),
            ("1.0", TimeError::NotInteger),
            ("1e9", TimeError::NotInteger),
            (".5", TimeError::NotInteger),
            ("NaN", TimeError::UnknownFormat),
            ("١٢", TimeError::UnknownFormat),
            ("4294967296", out_of_range(false)),
            ("99999999999", out_of_range(false)),
            ("100000000000", out_of_range(true)),
            ("1580962440000", out_of_range(true)),
            ("4294967295999", out_of_range(true)),
            ("4294967296000", out_of_range(false)),
            ("99999999999999999999999999", out_of_range(false)),
            ("31/12/2026", TimeError::UnknownFormat),
            ("2026-1-1", TimeError::UnknownFormat),
            ("2026-01-01T", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00.", TimeError::UnknownFormat),
            ("2026-01-01T00:00.0", TimeError::UnknownFormat),
            ("2026-01-01Z", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+1", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+010", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+01:", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+01:0", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+01:00:00", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+2400", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+0060", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00  +01:00", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00 ", TimeError::SurroundingWhitespace),
            ("2026-01-01T00:00:00UTC", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00 GMT", TimeError::UnknownFormat),
            ("2026-01-01 UTC", TimeError::UnknownFormat),
            ("2026-01-01 +01:00", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+24:00", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00[UTC]", TimeError::UnknownFormat),
            ("2026-02-29", TimeError::InvalidDateTime),
            ("2026-13-01", TimeError::InvalidDateTime),
            ("2026-01-01T24:00:00Z", TimeError::InvalidDateTime),
            ("2026-01-01T00:60:00Z", TimeError::InvalidDateTime),
            ("2026-01-01T00:00:61Z", TimeError::InvalidDateTime),
            ("2016-12-31T23:59:60Z", TimeError::LeapSecond),
            ("2026-01-01T00:00:00.5Z", TimeError::FractionalSecond),
            ("1969-12-31T23:59:59Z", TimeError::DateOutOfRange),
            ("2106-02-07T06:28:16Z", TimeError::DateOutOfRange),
            ("9999-12-31T23:59:59-23:59", TimeError::DateOutOfRange),
            ("0000-01-01", TimeError::DateOutOfRange),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn resolves_local_times_in_the_time_zone() {
        let rules = rules(TimeUnit::Seconds, "Europe/Berlin");
        for (text, expected) in [
            ("2026-06-01", Ok(1_780_264_800)),
            ("2026-06-01T00:00:00Z", Ok(1_780_272_000)),
            (
                "2026-03-29T02:30:00",
                Err(TimeError::SkippedLocalTime {
                    is_in_format: false,
                }),
            ),
            (
                "2026-10-25T02:30:00",
                Err(TimeError::AmbiguousLocalTime {
                    is_in_format: false,
                }),
            ),
            ("2026-10-25T02:30:00+01:00", Ok(1_792_891_800)),
        ] {
            let read = rules.parse(text.as_bytes()).map(ExpireTime::as_unix);
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn parses_milliseconds_that_are_whole_seconds() {
        let rules = rules(TimeUnit::Milliseconds, "UTC");
        for (text, expected) in [
            ("1580962440000", Ok(1_580_962_440)),
            ("0", Ok(0)),
            ("1580962440001", Err(TimeError::NotWholeSecond)),
            ("4294967296000", Err(TimeError::MillisecondsOutOfRange)),
            (
                "99999999999999999999999",
                Err(TimeError::MillisecondsOutOfRange),
            ),
            ("2020-02-06T04:14:00Z", Ok(1_580_962_440)),
        ] {
            let read = rules.parse(text.as_bytes()).map(ExpireTime::as_unix);
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn rejects_json_numbers_that_are_not_integers() {
        for literal in ["-0", "1.0", "1e3", "1E+3", "1e400", "1580962440.0"] {
            assert_eq!(parse(literal), Err(TimeError::NotInteger), "{literal}");
        }
    }
}
