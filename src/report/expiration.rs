//! The expiration times of an input, as counts and as a bar chart.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    diagnostics::format_timestamp,
    input::{EXPIRATION_HORIZONS_DAYS, ExpirationCounts},
    record::ExpireTime,
};

/// The numbers of valid records in an input, by the time until their expiration. Each record is
/// counted in exactly one field: `within_30_days` does not include the records of `within_7_days`.
/// `earliest` and `latest` are Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ExpirationReport {
    past: u64,
    within_7_days: u64,
    within_30_days: u64,
    within_90_days: u64,
    within_365_days: u64,
    later: u64,
    earliest: Option<u32>,
    latest: Option<u32>,
}

/// The width of the longest bar, in characters.
const MAX_BAR_CHARS: u64 = 40;

impl From<&ExpirationCounts> for ExpirationReport {
    fn from(counts: &ExpirationCounts) -> Self {
        const { assert!(matches!(EXPIRATION_HORIZONS_DAYS, [7, 30, 90, 365])) };
        let [
            within_7_days,
            within_30_days,
            within_90_days,
            within_365_days,
        ] = counts.within;
        Self {
            past: counts.past,
            within_7_days,
            within_30_days,
            within_90_days,
            within_365_days,
            later: counts.later,
            earliest: counts.earliest.map(ExpireTime::as_unix),
            latest: counts.latest.map(ExpireTime::as_unix),
        }
    }
}

impl ExpirationReport {
    /// Returns the bar chart: a row with a bar for each count, and a last row with the earliest and
    /// the latest expiration time in UTC. Returns an empty string if there are no records.
    pub(super) fn chart(&self) -> String {
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
        let largest = rows.iter().map(|(_, count)| *count).max().unwrap_or(1);
        let mut chart = String::new();
        for (name, count) in rows {
            // The length is rounded up, so that even a single record has a visible bar.
            let length = (u128::from(count) * u128::from(MAX_BAR_CHARS))
                .div_ceil(u128::from(largest.max(1)));
            let bar: String = (0..length).map(|_| '█').collect();
            let row = format!("{name:<14} {count:>10} {bar}");
            let _ = writeln!(chart, "{}", row.trim_end());
        }
        let _ = write!(
            chart,
            "earliest {}, latest {}",
            format_timestamp(i64::from(earliest)),
            format_timestamp(i64::from(latest))
        );
        chart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_a_bar_for_each_count() {
        let report = ExpirationReport {
            past: 1,
            within_7_days: 0,
            within_30_days: 250,
            within_90_days: 500,
            within_365_days: 1000,
            later: 1,
            earliest: Some(0),
            latest: Some(u32::MAX),
        };
        insta::assert_snapshot!(report.chart(), @r"
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
