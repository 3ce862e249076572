//! Expiration times: Unix seconds that fit into the contract's `uint32`.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// An expiration time in Unix seconds, from 0 (1970-01-01T00:00:00Z) to 4294967295
/// (2106-02-07T06:28:15Z).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub(crate) struct ExpireTime(u32);

/// The expiration times that are plausible. 0 is always plausible, because the server decides what
/// 0 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeRange {
    pub(crate) earliest: ExpireTime,
    pub(crate) latest: ExpireTime,
}

/// The message continues a sentence that starts with the string or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimeError {
    #[error("is empty")]
    Empty,
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("has a sign, a decimal point or an exponent; only digits are allowed")]
    NotInteger,
    #[error("is not in the range of Unix seconds from 0 to 4294967295")]
    IntegerOutOfRange { looks_like_milliseconds: bool },
    #[error("is not in the range of milliseconds from 0 to 4294967295000")]
    MillisecondsOutOfRange,
    #[error("has leading or trailing white space")]
    SurroundingWhitespace,
    #[error("is in milliseconds, but not a whole number of seconds")]
    NotWholeSecond,
    #[error("is not Unix seconds or an RFC 3339 date (example: 2099-12-31)")]
    UnknownFormat,
    #[error("matches no --time-format, and is not Unix seconds or an RFC 3339 date")]
    NoFormatMatches,
    #[error("is not an existing date and time of day")]
    InvalidDateTime,
    #[error("is a leap second, which Unix time does not have")]
    LeapSecond,
    #[error("has a fraction of a second")]
    FractionalSecond,
    #[error("is not in the range from 1970-01-01T00:00:00Z to 2106-02-07T06:28:15Z")]
    DateOutOfRange,
    /// `is_in_format` is whether the time is in a format of the user, which then has no offset.
    #[error("is a local time that its time zone skips")]
    SkippedLocalTime { is_in_format: bool },
    #[error("is a local time that occurs twice in its time zone")]
    AmbiguousLocalTime { is_in_format: bool },
    #[error("is in an unknown time zone")]
    UnknownTimeZone,
    #[error("is before --earliest {earliest}")]
    TooEarly { earliest: ExpireTime },
    #[error("is after --latest {latest}")]
    TooLate { latest: ExpireTime },
}

impl ExpireTime {
    /// The placeholder in a record of which only the token is needed.
    pub(crate) const UNUSED: Self = Self(0);

    pub(crate) const fn from_unix(seconds: u32) -> Self {
        Self(seconds)
    }

    pub(crate) const fn as_unix(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ExpireTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(self.0.into());
        time.fmt(f)
    }
}

impl TimeRange {
    pub(crate) const ALL: Self = Self {
        earliest: ExpireTime(0),
        latest: ExpireTime(u32::MAX),
    };

    pub(crate) fn check(self, time: ExpireTime) -> Result<ExpireTime, TimeError> {
        let Self { earliest, latest } = self;
        // This is a single comparison, because nearly all times are in the range.
        if time.0.wrapping_sub(earliest.0) <= latest.0.wrapping_sub(earliest.0) || time.0 == 0 {
            return Ok(time);
        }
        Err(if time < earliest {
            TimeError::TooEarly { earliest }
        } else {
            TimeError::TooLate { latest }
        })
    }
}

impl Default for TimeRange {
    fn default() -> Self {
        /// 1980-01-01T00:00:00Z. Earlier times are dates and serial numbers read as seconds.
        const DEFAULT_EARLIEST: ExpireTime = ExpireTime(315_532_800);
        Self {
            earliest: DEFAULT_EARLIEST,
            ..Self::ALL
        }
    }
}
