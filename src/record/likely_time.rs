//! Guesses the form of a refused time, for its hint.

use jiff::{civil::DateTime, fmt::strtime::BrokenDownTime, tz::Offset};

use super::time::{ExpireTime, TimeError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LikelyTime {
    /// The number of days since 1899-12-30.
    SpreadsheetSerial,
    /// A date in this format of strptime.
    InFormat(&'static str),
}

/// A serial number below this limit is a date before 2173.
const MAX_SERIAL: u64 = 100_000;

const DATE_DIGITS: &str = "%Y%m%d";

const COMMON_FORMATS: [&str; 14] = [
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d",
    "%d-%m-%Y",
    "%d-%b-%Y",
];

impl LikelyTime {
    pub(crate) fn recognize(text: &str, error: TimeError) -> Option<Self> {
        match error {
            TimeError::TooEarly { earliest } => Self::recognize_digits(text, earliest),
            TimeError::UnknownFormat | TimeError::NoFormatMatches => {
                let mut found = COMMON_FORMATS
                    .iter()
                    .filter_map(|format| Some((format, read(text, format)?)));
                let (format, time) = found.next()?;
                // The month cannot be told from the day in 04/05/2027.
                let is_certain = found.all(|(_, other)| other == time);
                is_certain.then_some(Self::InFormat(format))
            }
            _ => None,
        }
    }

    fn recognize_digits(text: &str, earliest: ExpireTime) -> Option<Self> {
        const DAY_SECONDS: i64 = 24 * 60 * 60;
        if text.parse::<u64>().ok()? < MAX_SERIAL {
            return Some(Self::SpreadsheetSerial);
        }
        let date = read(text, DATE_DIGITS).filter(|_| text.len() == 8)?;
        let seconds = Offset::UTC.to_timestamp(date).ok()?.as_second();
        // In another time zone, the same date may be up to a day earlier.
        let is_allowed = seconds - DAY_SECONDS > earliest.as_unix().into();
        is_allowed.then_some(Self::InFormat(DATE_DIGITS))
    }
}

fn read(text: &str, format: &str) -> Option<DateTime> {
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    let time = parsed.to_datetime().ok()?;
    (1970..=2105).contains(&time.year()).then_some(time)
}
