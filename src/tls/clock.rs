//! [`Clock`]: the time at which certificates must be valid.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::{pki_types::UnixTime, time_provider::TimeProvider};

/// The clock of the system. The clock of rustls itself panics before 1970, which a machine without
/// a battery for its clock may show after it starts.
#[derive(Debug)]
pub(super) struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(now())
    }
}

pub(super) fn now() -> UnixTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixTime::since_unix_epoch(now.unwrap_or_default())
}
