//! The expiration times of an input as a bar chart.

use std::fmt::Write as _;

use crate::{diagnostics::format_timestamp, input::ExpirationCounts};

const MAX_BAR_CHARS: u64 = 40;

/// Returns the lines of the chart, each after a line feed: none if there are no records.
pub(super) fn expiration_chart(counts: &ExpirationCounts) -> String {
    let (Some(earliest), Some(latest)) = (counts.earliest, counts.latest) else {
        return String::new();
    };
    let rows = [
        ("expired", counts.past),
        ("in less than 7 days", counts.within_7_days),
        ("in 7 to 29 days", counts.within_30_days),
        ("in 30 to 89 days", counts.within_90_days),
        ("in 90 to 364 days", counts.within_365_days),
        ("in 365 days or more", counts.later),
    ];
    let largest = rows.iter().map(|(_, count)| *count).max().unwrap_or(1);
    let mut chart = String::from("\n");
    for (name, count) in rows {
        // The length is rounded up, so that even a single record has a visible bar.
        let length = (count * MAX_BAR_CHARS).div_ceil(largest.max(1));
        let bar: String = (0..length).map(|_| '█').collect();
        let row = format!("{name:<19} {count:>10} {bar}");
        let _ = writeln!(chart, "{}", row.trim_end());
    }
    let _ = write!(
        chart,
        "earliest expiration {}, latest {}",
        format_timestamp(earliest.as_unix().into()),
        format_timestamp(latest.as_unix().into())
    );
    chart
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ExpireTime;

    #[test]
    fn draws_a_bar_for_each_count() {
        let counts = ExpirationCounts {
            past: 1,
            within_7_days: 0,
            within_30_days: 250,
            within_90_days: 500,
            within_365_days: 1000,
            later: 1,
            earliest: Some(ExpireTime::from_unix(0)),
            latest: Some(ExpireTime::from_unix(u32::MAX)),
            ..ExpirationCounts::default()
        };
        insta::assert_snapshot!(expiration_chart(&counts), @r"
        expired                      1 █
        in less than 7 days          0
        in 7 to 29 days            250 ██████████
        in 30 to 89 days           500 ████████████████████
        in 90 to 364 days         1000 ████████████████████████████████████████
        in 365 days or more          1 █
        earliest expiration 1970-01-01T00:00:00Z, latest 2106-02-07T06:28:15Z
        ");
    }
}
