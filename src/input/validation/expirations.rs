//! License expirations, counted by expiration time.

use crate::record::ExpireTime;

/// The number of licenses that expire in each period of time, with the earliest and the latest
/// expiration time. Each license is counted in exactly one period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpirationCounts {
    /// The current time in Unix seconds.
    now: u64,
    /// The number of licenses that have expired.
    pub(crate) past: u64,
    /// The number of licenses that expire in each of the periods that end at
    /// [`EXPIRATION_HORIZONS_DAYS`]. The first period starts now, and every later period starts at
    /// the end of the previous period.
    pub(crate) within: [u64; EXPIRATION_HORIZONS_DAYS.len()],
    /// The number of licenses that expire after the end of the last period in `within`.
    pub(crate) later: u64,
    pub(crate) earliest: Option<ExpireTime>,
    pub(crate) latest: Option<ExpireTime>,
}

/// The ends of the counted periods, in days from now.
pub(crate) const EXPIRATION_HORIZONS_DAYS: [u64; 4] = [7, 30, 90, 365];

const DAY_SECONDS: u64 = 24 * 60 * 60;

impl ExpirationCounts {
    /// Returns counts that are all 0. `now` is the current time in Unix seconds.
    pub(in crate::input) fn at(now: u64) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    pub(in crate::input) fn add(&mut self, time: ExpireTime) {
        let count = match u64::from(time.as_unix()).checked_sub(self.now) {
            None => &mut self.past,
            Some(seconds_left) => EXPIRATION_HORIZONS_DAYS
                .iter()
                .position(|days| seconds_left < days * DAY_SECONDS)
                .map_or(&mut self.later, |index| &mut self.within[index]),
        };
        *count += 1;
        self.earliest = Some(self.earliest.map_or(time, |other| other.min(time)));
        self.latest = self.latest.max(Some(time));
    }

    /// Adds the counts of other records. Both counts must have the same `now`.
    pub(in crate::input) fn add_all(&mut self, other: &Self) {
        self.past += other.past;
        for (count, other) in self.within.iter_mut().zip(other.within) {
            *count += other;
        }
        self.later += other.later;
        self.earliest = match (self.earliest, other.earliest) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.latest = self.latest.max(other.latest);
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
        assert_eq!(expirations.within, [2, 1, 1, 2]);
        assert_eq!(expirations.later, 2);
        assert_eq!(expirations.earliest, Some(ExpireTime::from_unix(0)));
        assert_eq!(expirations.latest, Some(ExpireTime::from_unix(u32::MAX)));
    }
}
