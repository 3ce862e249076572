//! [`RetryThrottle`]: delays retries longer when most attempts fail.

use std::cell::Cell;

use super::policy::DeliveryPolicy;

/// Detects that most attempts fail, with the tokens of gRFC A6 ("Throttling Retry Attempts"): a
/// failure takes one token, a success returns one token, and retries are throttled while at most
/// half of the tokens are left.
///
/// Unlike in gRFC A6, a throttled request keeps all of its retries, but waits for the longest
/// delay. A success returns as many tokens as a failure takes, so a server that answers every
/// request at the second attempt is not throttled.
#[derive(Debug)]
pub(super) struct RetryThrottle {
    tokens: Cell<u32>,
    max_tokens: u32,
}

const MIN_TOKENS: u32 = 20;

impl RetryThrottle {
    /// Creates a throttle that takes effect after as many failures as all requests in flight can
    /// have together.
    pub(super) fn new(policy: &DeliveryPolicy) -> Self {
        let concurrency = u32::try_from(policy.concurrency).unwrap_or(u32::MAX);
        let attempts = policy
            .max_retries
            .saturating_add(1)
            .saturating_mul(concurrency);
        // Retries are throttled when half of the tokens are left, so there are two tokens per
        // attempt.
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

    /// Returns whether retries must wait for the longest delay.
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
