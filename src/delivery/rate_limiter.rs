//! [`RateLimiter`]: the limit on records per second.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Delays attempts so that the server receives at most `max_records` records in any period of one
/// second.
///
/// The records of an attempt count from the start of the attempt until one second after its end,
/// because the server may receive the records at any time during the attempt.
#[derive(Debug)]
pub(super) struct RateLimiter {
    max_records: u64,
    requests: RefCell<VecDeque<RecentAttempt>>,
    permit_released: Notify,
    next_id: Cell<u64>,
}

#[derive(Debug)]
struct RecentAttempt {
    id: u64,
    records: u64,
    /// The end of the attempt, or `None` while the attempt is in flight.
    ended: Option<Instant>,
}

/// The permission for one attempt, held while the attempt is in flight.
pub(super) struct RatePermit<'l> {
    limiter: &'l RateLimiter,
    id: u64,
}

/// The error that the records of an attempt would exceed the limit if the attempt started now.
struct LimitReached {
    /// The next time when the records of an ended attempt stop counting, or `None` if all counted
    /// attempts are in flight.
    retry_at: Option<Instant>,
}

const RATE_WINDOW: Duration = Duration::from_secs(1);

impl RateLimiter {
    pub(super) fn new(max_records: u64) -> Self {
        Self {
            max_records,
            requests: RefCell::default(),
            permit_released: Notify::new(),
            next_id: Cell::new(0),
        }
    }

    /// Waits until a request of `records` records may be sent. `records` must not exceed the limit,
    /// or the wait never ends.
    pub(super) async fn acquire(&self, records: u64) -> RatePermit<'_> {
        loop {
            let permit_released = self.permit_released.notified();
            let retry_at = match self.try_acquire(records) {
                Ok(permit) => return permit,
                Err(LimitReached { retry_at }) => retry_at,
            };
            match retry_at {
                Some(time) => tokio::select! {
                    () = tokio::time::sleep_until(time) => {}
                    () = permit_released => {}
                },
                None => permit_released.await,
            }
        }
    }

    fn try_acquire(&self, records: u64) -> Result<RatePermit<'_>, LimitReached> {
        let mut requests = self.requests.borrow_mut();
        let now = Instant::now();
        requests.retain(|request| request.ended.is_none_or(|ended| now < ended + RATE_WINDOW));
        let counted: u64 = requests.iter().map(|request| request.records).sum();
        if counted + records <= self.max_records {
            let id = self.next_id.replace(self.next_id.get() + 1);
            requests.push_back(RecentAttempt {
                id,
                records,
                ended: None,
            });
            return Ok(RatePermit { limiter: self, id });
        }
        let first_ended = requests.iter().filter_map(|request| request.ended).min();
        Err(LimitReached {
            retry_at: first_ended.map(|ended| ended + RATE_WINDOW),
        })
    }
}

impl RatePermit<'_> {
    /// Releases the permit of an attempt that did not send its request. The records of the request
    /// no longer count.
    pub(super) fn cancel(self) {
        let mut requests = self.limiter.requests.borrow_mut();
        requests.retain(|request| request.id != self.id);
    }
}

impl Drop for RatePermit<'_> {
    fn drop(&mut self) {
        let mut requests = self.limiter.requests.borrow_mut();
        if let Some(request) = requests.iter_mut().find(|request| request.id == self.id) {
            request.ended = Some(Instant::now());
        }
        self.limiter.permit_released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
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
            let permit = limiter.acquire(records).await;
            let started = Instant::now();
            tokio::time::sleep(Duration::from_millis(millis)).await;
            sent.push(SentRequest {
                started,
                ended: Instant::now(),
                records,
            });
            drop(permit);
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
