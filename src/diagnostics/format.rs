//! Formatting of numbers and times in messages.

use jiff::Timestamp;

/// Formats Unix seconds as RFC 3339 in UTC.
pub(crate) fn format_timestamp(unix_seconds: i64) -> String {
    Timestamp::from_second(unix_seconds)
        .map_or_else(|_| unix_seconds.to_string(), |time| time.to_string())
}

/// Formats a count with its noun, whose plural ends in `s`.
pub(crate) fn count_noun(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}
