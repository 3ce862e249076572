//! [`DeliveryPolicy`]: the limits and delays of a push, and the retry delays computed from them.

use std::time::Duration;

use super::retry_decision::RetryDecision;

#[derive(Clone)]
pub(crate) struct DeliveryPolicy {
    pub(crate) concurrency: usize,
    /// The maximum number of retries of one request. The same maximum applies to the retries to
    /// establish one connection.
    pub(crate) max_retries: u32,
    /// The upper limit of the backoff before the first retry. The limit doubles with each further
    /// retry of the same request or connection.
    pub(crate) base_delay: Duration,
    pub(crate) max_delay: Duration,
    pub(crate) ok_codes: Vec<i32>,
    /// Whether a request that the server rejected with `INVALID_ARGUMENT` is split until each
    /// invalid record is alone in its request.
    pub(crate) isolates_invalid_records: bool,
    pub(crate) max_records_per_second: Option<u64>,
    pub(crate) deadline: Option<tokio::time::Instant>,
    /// Returns a random duration between zero and its argument. Tests use a function that returns
    /// its argument, so that the delays are predictable.
    pub(crate) jitter: fn(Duration) -> Duration,
}

/// The failed attempts to send one request or to establish one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttemptCounter {
    /// The attempts that count towards [`DeliveryPolicy::max_retries`].
    counted: u32,
    transparent: u32,
    /// The transparent retries that do not count towards [`MAX_TRANSPARENT_RETRIES`].
    forgiven: u32,
    /// Whether the server may have applied the request of an attempt, because no response arrived.
    pub(super) is_outcome_unknown: bool,
}

/// The maximum number of transparent retries of one request or connection. A server that needs more
/// is not healthy, so each further retry waits for a backoff and counts toward `max_retries`.
const MAX_TRANSPARENT_RETRIES: u32 = 10;

/// The fixed part of the retry delay after `ENHANCE_YOUR_CALM`, in multiples of the base delay. The
/// usual backoff is added to the fixed part.
const LONG_BACKOFF_FACTOR: u32 = 4;

impl AttemptCounter {
    pub(super) fn total(self) -> u32 {
        self.counted + self.transparent
    }

    pub(super) fn forgive_transparent(&mut self) {
        self.forgiven = self.transparent;
    }
}

impl DeliveryPolicy {
    /// A policy without retries, for commands other than `push`.
    pub(crate) const SINGLE_ATTEMPT: Self = Self {
        concurrency: 1,
        max_retries: 0,
        base_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        ok_codes: Vec::new(),
        isolates_invalid_records: false,
        max_records_per_second: None,
        deadline: None,
        jitter: |longest| longest,
    };

    /// Counts a failed attempt, and returns the delay before its retry, or `None` if there must be no
    /// further retry.
    pub(super) fn delay_after(
        &self,
        decision: RetryDecision,
        attempts: &mut AttemptCounter,
    ) -> Option<Duration> {
        let transparent = attempts.transparent - attempts.forgiven;
        if decision == RetryDecision::Transparent && transparent < MAX_TRANSPARENT_RETRIES {
            attempts.transparent += 1;
            return Some(Duration::ZERO);
        }
        attempts.counted += 1;
        if attempts.counted > self.max_retries {
            return None;
        }
        match decision {
            RetryDecision::Never => None,
            RetryDecision::Transparent | RetryDecision::Backoff => {
                Some(self.backoff(attempts.counted))
            }
            RetryDecision::LongBackoff => Some(self.long_backoff(attempts.counted)),
            RetryDecision::After(delay) => Some(delay),
        }
    }

    /// Returns the backoff before the retry with this number, counted from 1: a random duration up
    /// to a limit that doubles with each retry ("full jitter").
    fn backoff(&self, retry: u32) -> Duration {
        let factor = 2_u32.saturating_pow(retry.saturating_sub(1));
        let longest = self.base_delay.saturating_mul(factor).min(self.max_delay);
        (self.jitter)(longest)
    }

    fn long_backoff(&self, retry: u32) -> Duration {
        self.base_delay.saturating_mul(LONG_BACKOFF_FACTOR) + self.backoff(retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_max_delay() {
        let policy = DeliveryPolicy {
            max_retries: 9,
            base_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(1),
            ..DeliveryPolicy::SINGLE_ATTEMPT
        };
        let delays: Vec<_> = (1..=5).map(|retry| policy.backoff(retry)).collect();
        assert_eq!(
            delays,
            [200, 400, 800, 1000, 1000].map(Duration::from_millis)
        );
        assert_eq!(policy.long_backoff(1), Duration::from_secs(1));
    }
}
