//! When the licences run out, as numbers and as a picture.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    diagnostics::format_timestamp,
    input::{EXPIRATION_HORIZONS_DAYS, ExpirationCounts},
    record::ExpireTime,
};

/// Each valid record in one count; the times in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ExpiryReport {
    past: u64,
    within_7_days: u64,
    within_30_days: u64,
    within_90_days: u64,
    within_365_days: u64,
    later: u64,
    earliest: Option<u32>,
    latest: Option<u32>,
}

/// The width of the longest bar.
const BAR: u64 = 40;

impl From<&ExpirationCounts> for ExpiryReport {
    fn from(expiry: &ExpirationCounts) -> Self {
        const { assert!(matches!(EXPIRATION_HORIZONS_DAYS, [7, 30, 90, 365])) };
        let [
            within_7_days,
            within_30_days,
            within_90_days,
            within_365_days,
        ] = expiry.within;
        Self {
            past: expiry.past,
            within_7_days,
            within_30_days,
            within_90_days,
            within_365_days,
            later: expiry.later,
            earliest: expiry.earliest.map(ExpireTime::as_unix),
            latest: expiry.latest.map(ExpireTime::as_unix),
        }
    }
}

impl ExpiryReport {
    /// A row a count with a bar, and the first and last time in UTC; empty without records.
    pub(crate) fn picture(&self) -> String {
        let (Some(earliest), Some(latest)) = (self.earliest, self.latest) else {
            return String::new();
        };
        let rows = [
            ("already past", self.past),
            ("within 7 days", self.within_7_days),
            ("within 30 days", self.within_30_days),
            ("within 90 days", self.within_90_days),
            ("within a year", self.within_365_days),
            ("later", self.later),
        ];
        let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(1);
        let mut picture = String::new();
        for (name, count) in rows {
            // Rounded up, so that a single record shows.
            let length = (u128::from(count) * u128::from(BAR)).div_ceil(u128::from(most.max(1)));
            let bar: String = (0..length).map(|_| '█').collect();
            let row = format!("{name:<14} {count:>10} {bar}");
            let _ = writeln!(picture, "{}", row.trim_end());
        }
        let _ = write!(
            picture,
            "earliest {}, latest {}",
            format_timestamp(i64::from(earliest)),
            format_timestamp(i64::from(latest))
        );
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture() {
        let report = ExpiryReport {
            past: 1,
            within_7_days: 0,
            within_30_days: 250,
            within_90_days: 500,
            within_365_days: 1000,
            later: 1,
            earliest: Some(0),
            latest: Some(u32::MAX),
        };
        insta::assert_snapshot!(report.picture(), @r"
        already past            1 █
        within 7 days           0
        within 30 days        250 ██████████
        within 90 days        500 ████████████████████
        within a year        1000 ████████████████████████████████████████
        later                   1 █
        earliest 1970-01-01T00:00:00Z, latest 2106-02-07T06:28:15Z
        ");
    }
}
