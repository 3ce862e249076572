//! When licences run out.

use crate::record::ExpireTime;

/// How many records run out by when, each counted once, and the first and last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpirationCounts {
    /// Unix seconds.
    now: u64,
    pub(crate) past: u64,
    /// As many as [`EXPIRATION_HORIZONS_DAYS`], each without those before.
    pub(crate) within: [u64; EXPIRATION_HORIZONS_DAYS.len()],
    pub(crate) later: u64,
    pub(crate) earliest: Option<ExpireTime>,
    pub(crate) latest: Option<ExpireTime>,
}

/// Days from now.
pub(crate) const EXPIRATION_HORIZONS_DAYS: [u64; 4] = [7, 30, 90, 365];

const DAY: u64 = 24 * 60 * 60;

impl ExpirationCounts {
    /// Nothing yet, as seen at `now` (Unix seconds).
    pub(in crate::input) fn at(now: u64) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    pub(in crate::input) fn add(&mut self, time: ExpireTime) {
        let count = match u64::from(time.as_unix()).checked_sub(self.now) {
            None => &mut self.past,
            Some(left) => EXPIRATION_HORIZONS_DAYS
                .iter()
                .position(|days| left < days * DAY)
                .map_or(&mut self.later, |index| &mut self.within[index]),
        };
        *count += 1;
        self.earliest = Some(self.earliest.map_or(time, |other| other.min(time)));
        self.latest = self.latest.max(Some(time));
    }

    /// Adds what was counted elsewhere, as seen at the same time.
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
    fn each_record_is_in_one_count() {
        let now = 1_000_000_000;
        let mut expiry = ExpirationCounts::at(u64::from(now));
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
            expiry.add(ExpireTime::from_unix(time));
        }
        assert_eq!(expiry.past, 2);
        assert_eq!(expiry.within, [2, 1, 1, 2]);
        assert_eq!(expiry.later, 2);
        assert_eq!(expiry.earliest, Some(ExpireTime::from_unix(0)));
        assert_eq!(expiry.latest, Some(ExpireTime::from_unix(u32::MAX)));
    }
}
