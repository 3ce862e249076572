//! The current time in Unix seconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the seconds since 1970-01-01T00:00:00Z, or 0 if the clock is set to an earlier time.
pub(super) fn unix_now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
    })
}
