//! [`RateLimiter`]: the limit on records per second.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Delays attempts so that the server receives at most `max_records` records in any period of one
/// second.
///
/// The records of an attempt count from the start of the attempt until one second after its end,
/// because the server may receive the records at any time during the attempt.
#[derive(Debug)]
pub(super) struct RateLimiter {
    /// One permit for each record that may be sent now.
    free_records: Arc<Semaphore>,
}

const RATE_WINDOW: Duration = Duration::from_secs(1);

impl RateLimiter {
    pub(super) fn new(max_records: u64) -> Self {
        let max_records = usize::try_from(max_records).unwrap_or(usize::MAX);
        let max_records = max_records.min(Semaphore::MAX_PERMITS);
        Self {
            free_records: Arc::new(Semaphore::new(max_records)),
        }
    }

    /// Waits until a request of `records` records may be sent. `records` must not exceed the limit,
    /// or the wait never ends. If the request is not sent, the permit can simply be dropped.
    pub(super) async fn acquire(&self, records: u64) -> Option<OwnedSemaphorePermit> {
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        let free_records = Arc::clone(&self.free_records);
        // The semaphore is never closed, so the result is never `None`.
        free_records.acquire_many_owned(records).await.ok()
    }
}

/// Releases the permit of an attempt that has ended, as soon as its records stop counting.
pub(super) fn release_after_window(permit: OwnedSemaphorePermit) {
    tokio::spawn(async move {
        tokio::time::sleep(RATE_WINDOW).await;
        drop(permit);
    });
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    struct SentRequest {
        started: Instant,
        ended: Instant,
        records: u64,
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_exceeds_the_limit() {
        let limiter = RateLimiter::new(10);
        let mut sent = Vec::new();
        for (records, millis) in [(4, 100), (6, 0), (10, 300), (1, 0), (1, 0), (9, 0)] {
            let permit = limiter.acquire(records).await.expect("a permit");
            let started = Instant::now();
            tokio::time::sleep(Duration::from_millis(millis)).await;
            sent.push(SentRequest {
                started,
                ended: Instant::now(),
                records,
            });
            release_after_window(permit);
        }
        // The test assumes that the server receives each request at the latest possible time, which
        // is the end of the attempt.
        for SentRequest { ended: from, .. } in &sent {
            let received = |request: &&SentRequest| {
                request.ended >= *from && request.ended < *from + RATE_WINDOW
            };
            let records: u64 = sent.iter().filter(received).map(|one| one.records).sum();
            assert!(records <= 10, "{records} records in one second");
        }
        let elapsed = sent[sent.len() - 1].ended - sent[0].started;
        assert!(elapsed < Duration::from_millis(3600), "{elapsed:?}");
    }
}
