//! [`RetryThrottle`]: slows retries down when the server fails most attempts.

use std::cell::Cell;

use super::policy::DeliveryPolicy;

/// Notices a server that fails most attempts, as gRFC A6 ("Throttling Retry Attempts") describes.
///
/// Unlike in gRFC A6, a throttled request keeps all of its retries; they only come with the longest
/// delay. A failure takes one token and a success gives one back, so that a server that answers
/// every request at the second attempt is not throttled.
#[derive(Debug)]
pub(super) struct RetryThrottle {
    tokens: Cell<u32>,
    max_tokens: u32,
}

const MIN_TOKENS: u32 = 20;

impl RetryThrottle {
    /// Creates a throttle with tokens for all attempts of as many requests as may be in flight.
    pub(super) fn new(policy: &DeliveryPolicy) -> Self {
        let concurrency = u32::try_from(policy.concurrency).unwrap_or(u32::MAX);
        let attempts = policy
            .max_retries
            .saturating_add(1)
            .saturating_mul(concurrency);
        // Twice as many, because retries are throttled from half of the tokens down.
        let max_tokens = attempts.saturating_mul(2).max(MIN_TOKENS);
        Self {
            tokens: Cell::new(max_tokens),
            max_tokens,
        }
    }

    pub(super) fn count_success(&self) {
        let tokens = self.tokens.get().saturating_add(1);
        self.tokens.set(tokens.min(self.max_tokens));
    }

    pub(super) fn count_failure(&self) {
        self.tokens.set(self.tokens.get().saturating_sub(1));
    }

    /// Returns whether retries must come with the longest delay.
    pub(super) fn is_throttled(&self) -> bool {
        self.tokens.get() <= self.max_tokens / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttles_when_half_of_the_tokens_are_gone() {
        let throttle = RetryThrottle {
            tokens: Cell::new(40),
            max_tokens: 40,
        };
        for _ in 0..19 {
            throttle.count_failure();
            assert!(!throttle.is_throttled());
        }
        throttle.count_failure();
        assert!(throttle.is_throttled());
        throttle.count_success();
        assert!(!throttle.is_throttled());
    }
}
