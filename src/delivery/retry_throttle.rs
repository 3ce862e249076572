//! [`RetryThrottle`]: delays retries longer when most attempts fail.

use std::cell::Cell;

use super::policy::DeliveryPolicy;

/// Detects that most attempts fail, with the tokens of gRFC A6 ("Throttling Retry Attempts"): a
/// failure takes one token, a success returns one token, and retries are throttled while at most
/// half of the tokens are left.
///
/// There are two differences from gRFC A6. A throttled request keeps all of its retries, but each
/// retry waits for the longest delay. And a success returns a whole token, not a fraction of a
/// token. Therefore retries are not throttled if every request succeeds at the second attempt.
#[derive(Debug)]
pub(super) struct RetryThrottle {
    tokens: Cell<u32>,
    max_tokens: u32,
}

const MIN_TOKENS: u32 = 20;

impl RetryThrottle {
    /// Creates a throttle that takes effect when there are more failures than successes, by the
    /// number of attempts that all requests in flight can make together (at least 10).
    pub(super) fn new(policy: &DeliveryPolicy) -> Self {
        let concurrency = u32::try_from(policy.concurrency).unwrap_or(u32::MAX);
        let attempts = policy
            .max_retries
            .saturating_add(1)
            .saturating_mul(concurrency);
        // Retries are throttled when half of the tokens are left. With two tokens per attempt, this
        // is the case after `attempts` failures without a success.
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
