//! Expire times: Unix seconds as the contract's `uint32`, read without any rounding.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::digits;

/// Unix seconds, 0 (1970-01-01T00:00:00Z) to 4294967295 (2106-02-07T06:28:15Z).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExpireTime(u32);

/// What an integer counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    #[default]
    Seconds,
    Milliseconds,
}

/// How a text or number is read as a time.
#[derive(Clone, Debug)]
pub(crate) struct TimeRules {
    pub(crate) unit: TimeUnit,
    /// For dates and times that carry no offset.
    pub(crate) zone: TimeZone,
}

/// Why a text or number is no expire time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeError {
    Empty,
    /// A number with a sign, a point or an exponent.
    NotInteger,
    /// An integer that does not fit. `milliseconds` when it would, read as such.
    IntegerOutOfRange {
        looks_like_milliseconds: bool,
    },
    /// Milliseconds that are no whole second.
    NotWholeSecond,
    /// Neither an integer nor one of the date forms.
    UnknownFormat,
    /// A date form with a field out of range, such as a 30th of February.
    InvalidDateTime,
    LeapSecond,
    /// A fraction of a second other than zero.
    FractionalSecond,
    /// A date before 1970 or after 2106-02-07T06:28:15Z.
    DateOutOfRange,
    /// The zone's clocks skip this local time.
    SkippedLocalTime,
    /// The zone's clocks show this local time twice.
    AmbiguousLocalTime,
}

/// From here up an integer is taken for milliseconds that were not announced: as seconds it is
/// past the year 5000.
const SURELY_MILLISECONDS: u64 = 100_000_000_000;

impl ExpireTime {
    /// What stands where no time is wanted.
    pub(crate) const EPOCH: Self = Self(0);

    pub(crate) const fn from_unix(seconds: u32) -> Self {
        Self(seconds)
    }

    pub(crate) const fn as_unix(self) -> u32 {
        self.0
    }

    /// Reads a text: digits, or a date as of RFC 3339 section 5.6, looser only in that the offset
    /// and the seconds, or the whole time of day, may be left out.
    pub(crate) fn parse(text: &str, rules: &TimeRules) -> Result<Self, TimeError> {
        match text.as_bytes() {
            [] => Err(TimeError::Empty),
            digits if digits.iter().all(u8::is_ascii_digit) => Self::from_digits(digits, rules),
            _ => match DateForm::split(text.as_bytes()) {
                Some(form) => form.resolve(&rules.zone),
                None if is_number(text) => Err(TimeError::NotInteger),
                None => Err(TimeError::UnknownFormat),
            },
        }
    }

    /// Reads a text of digits alone and not too many, which most are; `None` is any other.
    pub(crate) fn parse_plain(text: &[u8], rules: &TimeRules) -> Option<Self> {
        const LONGEST: usize = 13;
        if text.len() > LONGEST {
            return None;
        }
        Self::from_integer(digits::value(text)?, rules)
    }

    /// An integer, if it is a time.
    fn from_integer(value: u64, rules: &TimeRules) -> Option<Self> {
        let seconds = match rules.unit {
            TimeUnit::Seconds => value,
            TimeUnit::Milliseconds if value.is_multiple_of(1000) => value / 1000,
            TimeUnit::Milliseconds => return None,
        };
        u32::try_from(seconds).ok().map(Self)
    }

    /// Reads a JSON number by its literal text, so that no float ever stands between.
    pub(crate) fn parse_number(literal: &str, rules: &TimeRules) -> Result<Self, TimeError> {
        if literal.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::from_digits(literal.as_bytes(), rules)
        } else {
            Err(TimeError::NotInteger)
        }
    }

    fn from_digits(text: &[u8], rules: &TimeRules) -> Result<Self, TimeError> {
        // 19 digits can't overflow; what has more is too large unless zeros lead it.
        let (leading, last) = text.split_at(text.len().saturating_sub(19));
        let value = match digits::value(last) {
            Some(value) if leading.iter().all(|digit| *digit == b'0') => value,
            _ => u64::MAX,
        };
        let seconds = match rules.unit {
            TimeUnit::Seconds => value,
            TimeUnit::Milliseconds if value % 1000 == 0 => value / 1000,
            TimeUnit::Milliseconds if value == u64::MAX => value,
            TimeUnit::Milliseconds => return Err(TimeError::NotWholeSecond),
        };
        u32::try_from(seconds)
            .map(Self)
            .map_err(|_| TimeError::IntegerOutOfRange {
                looks_like_milliseconds: rules.unit == TimeUnit::Seconds
                    && value >= SURELY_MILLISECONDS,
            })
    }
}

/// Whether a text that is no run of digits would still be a number elsewhere.
fn is_number(text: &str) -> bool {
    // `f64` also reads "inf" and "NaN", which are words here.
    text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text.parse::<f64>().is_ok()
}

/// The parts of a date text, each with digits where digits belong, not yet in range.
struct DateForm {
    year: i16,
    month: i8,
    day: i8,
    clock: Option<ClockForm>,
}

struct ClockForm {
    hour: i8,
    minute: i8,
    second: i8,
    fraction: bool,
    /// Seconds east of UTC.
    offset: Option<i32>,
}

/// Reads `width` digits off the front.
fn digits(text: &mut &[u8], width: usize) -> Option<i16> {
    let (front, rest) = text.split_at_checked(width)?;
    let value = front.iter().try_fold(0_i16, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i16::from(byte - b'0'))
    })?;
    *text = rest;
    Some(value)
}

/// Reads two digits off the front.
fn two(text: &mut &[u8]) -> Option<i8> {
    digits(text, 2).and_then(|value| i8::try_from(value).ok())
}

/// Reads one of `expected` off the front.
fn one_of(text: &mut &[u8], expected: &[u8]) -> Option<u8> {
    let (first, rest) = text.split_first()?;
    expected.contains(first).then(|| {
        *text = rest;
        *first
    })
}

impl DateForm {
    fn split(mut text: &[u8]) -> Option<Self> {
        let text = &mut text;
        let year = digits(text, 4)?;
        one_of(text, b"-")?;
        let month = two(text)?;
        one_of(text, b"-")?;
        let day = two(text)?;
        let clock = match text {
            [] => None,
            _ => Some(ClockForm::split(text)?),
        };
        text.is_empty().then_some(Self {
            year,
            month,
            day,
            clock,
        })
    }

    fn resolve(&self, zone: &TimeZone) -> Result<ExpireTime, TimeError> {
        let date = Date::new(self.year, self.month, self.day);
        let Some(clock) = &self.clock else {
            let date = date.map_err(|_| TimeError::InvalidDateTime)?;
            return in_zone(date.to_datetime(Time::midnight()), zone);
        };
        let leap = clock.second == 60;
        let second = if leap { 59 } else { clock.second };
        let time = Time::new(clock.hour, clock.minute, second, 0);
        let (Ok(date), Ok(time)) = (date, time) else {
            return Err(TimeError::InvalidDateTime);
        };
        if leap {
            return Err(TimeError::LeapSecond);
        }
        if clock.fraction {
            return Err(TimeError::FractionalSecond);
        }
        let civil = date.to_datetime(time);
        match clock.offset {
            None => in_zone(civil, zone),
            Some(east) => {
                let offset = Offset::from_seconds(east).map_err(|_| TimeError::InvalidDateTime)?;
                at_offset(civil, offset)
            }
        }
    }
}

impl ClockForm {
    fn split(text: &mut &[u8]) -> Option<Self> {
        one_of(text, b"Tt ")?;
        let hour = two(text)?;
        one_of(text, b":")?;
        let minute = two(text)?;
        let mut second = 0;
        let mut fraction = false;
        if one_of(text, b":").is_some() {
            second = two(text)?;
            if one_of(text, b".").is_some() {
                let width = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let (front, rest) = text.split_at(width);
                fraction = front.iter().any(|digit| *digit != b'0');
                *text = rest;
                if width == 0 {
                    return None;
                }
            }
        }
        let offset = match one_of(text, b"Zz+-") {
            None => None,
            Some(b'Z' | b'z') => Some(0),
            Some(sign) => {
                let hours = two(text).filter(|hours| *hours < 24)?;
                one_of(text, b":")?;
                let minutes = two(text).filter(|minutes| *minutes < 60)?;
                let east = i32::from(hours) * 3600 + i32::from(minutes) * 60;
                Some(if sign == b'-' { -east } else { east })
            }
        };
        Some(Self {
            hour,
            minute,
            second,
            fraction,
            offset,
        })
    }
}

fn in_zone(civil: DateTime, zone: &TimeZone) -> Result<ExpireTime, TimeError> {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => at_offset(civil, offset),
        AmbiguousOffset::Gap { .. } => Err(TimeError::SkippedLocalTime),
        AmbiguousOffset::Fold { .. } => Err(TimeError::AmbiguousLocalTime),
    }
}

fn at_offset(civil: DateTime, offset: Offset) -> Result<ExpireTime, TimeError> {
    offset
        .to_timestamp(civil)
        .ok()
        .map(Timestamp::as_second)
        .and_then(|seconds| u32::try_from(seconds).ok())
        .map(ExpireTime)
        .ok_or(TimeError::DateOutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(unit: TimeUnit, zone: &str) -> TimeRules {
        TimeRules {
            unit,
            zone: TimeZone::get(zone).expect("a zone of the database"),
        }
    }

    fn parse(text: &str) -> Result<u32, TimeError> {
        ExpireTime::parse(text, &rules(TimeUnit::Seconds, "UTC")).map(ExpireTime::as_unix)
    }

    #[test]
    fn the_accepted_forms() {
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
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn the_refused_forms() {
        let beyond = |looks_like_milliseconds| TimeError::IntegerOutOfRange {
            looks_like_milliseconds,
        };
        for (text, error) in [
            ("", TimeError::Empty),
            (" 1", TimeError::UnknownFormat),
            ("1 ", TimeError::UnknownFormat),
            ("-1", TimeError::NotInteger),
            ("+1", TimeError::NotInteger),
            ("1.0", TimeError::NotInteger),
            ("1e9", TimeError::NotInteger),
            (".5", TimeError::NotInteger),
            ("NaN", TimeError::UnknownFormat),
            ("١٢", TimeError::UnknownFormat),
            ("4294967296", beyond(false)),
            ("99999999999", beyond(false)),
            ("100000000000", beyond(true)),
            ("1580962440000", beyond(true)),
            ("99999999999999999999999999", beyond(true)),
            ("31/12/2026", TimeError::UnknownFormat),
            ("2026-1-1", TimeError::UnknownFormat),
            ("2026-01-01T", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00.", TimeError::UnknownFormat),
            ("2026-01-01T00:00.0", TimeError::UnknownFormat),
            ("2026-01-01Z", TimeError::UnknownFormat),
            ("2026-01-01T00:00:00+0100", TimeError::UnknownFormat),
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
    fn a_zone_places_local_times_and_refuses_those_it_has_not_or_has_twice() {
        let rules = rules(TimeUnit::Seconds, "Europe/Berlin");
        for (text, expected) in [
            ("2026-06-01", Ok(1_780_264_800)),
            ("2026-06-01T00:00:00Z", Ok(1_780_272_000)),
            ("2026-03-29T02:30:00", Err(TimeError::SkippedLocalTime)),
            ("2026-10-25T02:30:00", Err(TimeError::AmbiguousLocalTime)),
            ("2026-10-25T02:30:00+01:00", Ok(1_792_891_800)),
        ] {
            let read = ExpireTime::parse(text, &rules).map(ExpireTime::as_unix);
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn milliseconds_are_whole_seconds_or_refused() {
        let rules = rules(TimeUnit::Milliseconds, "UTC");
        for (text, expected) in [
            ("1580962440000", Ok(1_580_962_440)),
            ("0", Ok(0)),
            ("1580962440001", Err(TimeError::NotWholeSecond)),
            (
                "4294967296000",
                Err(TimeError::IntegerOutOfRange {
                    looks_like_milliseconds: false,
                }),
            ),
            (
                "99999999999999999999999",
                Err(TimeError::IntegerOutOfRange {
                    looks_like_milliseconds: false,
                }),
            ),
            ("2020-02-06T04:14:00Z", Ok(1_580_962_440)),
        ] {
            let read = ExpireTime::parse(text, &rules).map(ExpireTime::as_unix);
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_json_number_is_read_by_its_literal() {
        let rules = rules(TimeUnit::Seconds, "UTC");
        assert_eq!(
            ExpireTime::parse_number("4294967295", &rules),
            Ok(ExpireTime(u32::MAX))
        );
        for literal in ["-0", "1.0", "1e3", "1580962440.0"] {
            assert_eq!(
                ExpireTime::parse_number(literal, &rules),
                Err(TimeError::NotInteger),
                "{literal}"
            );
        }
    }
}
