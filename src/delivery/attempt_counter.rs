//! [`AttemptCounter`]: counts the failed attempts to send one request or to establish one
//! connection.

use super::retry_decision::RetryDecision;

/// The maximum number of transparent retries of one request or connection. A server that needs more
/// transparent retries is not healthy. Each further retry therefore waits for a backoff and counts
/// towards `DeliveryPolicy::max_retries`.
const MAX_TRANSPARENT_RETRIES: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttemptCounter {
    counted: u32,
    transparent: u32,
}

impl AttemptCounter {
    /// Counts a failed attempt and returns the decision to apply. After
    /// [`MAX_TRANSPARENT_RETRIES`], a transparent retry becomes a retry with backoff.
    pub(super) fn count_failure(&mut self, decision: RetryDecision) -> RetryDecision {
        if decision == RetryDecision::Transparent && self.transparent < MAX_TRANSPARENT_RETRIES {
            self.transparent += 1;
            return RetryDecision::Transparent;
        }
        self.counted += 1;
        match decision {
            RetryDecision::Transparent => RetryDecision::Backoff,
            other => other,
        }
    }

    /// Returns the number of failed attempts that count towards `DeliveryPolicy::max_retries`.
    pub(super) fn counted(self) -> u32 {
        self.counted
    }

    pub(super) fn total(self) -> u32 {
        self.counted + self.transparent
    }
}
