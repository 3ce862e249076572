//! License expirations, counted by expiration time.

use crate::record::ExpireTime;

/// Each record is counted in one period: `within_30_days` excludes those of `within_7_days`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct ExpirationCounts {
    /// The current time in Unix seconds.
    #[serde(skip)]
    pub(crate) now: u64,
    pub(crate) past: u64,
    pub(crate) within_7_days: u64,
    pub(crate) within_30_days: u64,
    pub(crate) within_90_days: u64,
    pub(crate) within_365_days: u64,
    pub(crate) later: u64,
    pub(crate) earliest: Option<ExpireTime>,
    pub(crate) latest: Option<ExpireTime>,
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

impl ExpirationCounts {
    pub(in crate::input) fn at(now: u64) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    pub(in crate::input) fn add(&mut self, time: ExpireTime) {
        let seconds_left = u64::from(time.as_unix()).checked_sub(self.now);
        let count = match seconds_left.map(|seconds| seconds / DAY_SECONDS) {
            None => &mut self.past,
            Some(..7) => &mut self.within_7_days,
            Some(7..30) => &mut self.within_30_days,
            Some(30..90) => &mut self.within_90_days,
            Some(90..365) => &mut self.within_365_days,
            Some(365..) => &mut self.later,
        };
        *count += 1;
        self.earliest = Some(self.earliest.map_or(time, |other| other.min(time)));
        self.latest = self.latest.max(Some(time));
    }

    pub(in crate::input) fn add_all(&mut self, other: &Self) {
        self.past += other.past;
        self.within_7_days += other.within_7_days;
        self.within_30_days += other.within_30_days;
        self.within_90_days += other.within_90_days;
        self.within_365_days += other.within_365_days;
        self.later += other.later;
        self.earliest = self.earliest.into_iter().chain(other.earliest).min();
        self.latest = self.latest.max(other.latest);
    }

    /// Does not change `earliest` and `latest`.
    pub(super) fn remove_all(&mut self, other: &Self) {
        self.past -= other.past;
        self.within_7_days -= other.within_7_days;
        self.within_30_days -= other.within_30_days;
        self.within_90_days -= other.within_90_days;
        self.within_365_days -= other.within_365_days;
        self.later -= other.later;
    }

    /// Returns whether the earliest or the latest time is one of `other`.
    pub(super) fn has_end_of(&self, other: &Self) -> bool {
        (other.earliest.is_some() && other.earliest == self.earliest)
            || (other.latest.is_some() && other.latest == self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_record_once() {
        let now = 1_000_000_000;
        let mut expirations = ExpirationCounts::at(u64::from(now));
        let day = 86_400;
        for time in [
            0,
            now - 1,
            now,
            now + 7 * day - 1,
            now + 7 * day,
            now + 30 * day,
            now + 90 * day,
            now + 365 * day - 1,
            now + 365 * day,
            u32::MAX,
        ] {
            expirations.add(ExpireTime::from_unix(time));
        }
        assert_eq!(expirations.past, 2);
        assert_eq!(expirations.within_7_days, 2);
        assert_eq!(expirations.within_30_days, 1);
        assert_eq!(expirations.within_90_days, 1);
        assert_eq!(expirations.within_365_days, 2);
        assert_eq!(expirations.later, 2);
        assert_eq!(expirations.earliest, Some(ExpireTime::from_unix(0)));
        assert_eq!(expirations.latest, Some(ExpireTime::from_unix(u32::MAX)));
    }
}
