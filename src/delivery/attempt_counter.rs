//! [`AttemptCounter`]: the failed attempts of one request, or of one connection.

use super::retry_decision::RetryDecision;

/// The most transparent retries of one request or connection. A server that needs more is not
/// healthy, and the next ones use up retries.
const MAX_TRANSPARENT_RETRIES: u32 = 10;

/// Counts the failed attempts of one request, or of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttemptCounter {
    counted: u32,
    transparent: u32,
}

impl AttemptCounter {
    /// Counts a failed attempt and returns the decision that applies to it: after
    /// [`MAX_TRANSPARENT_RETRIES`], a transparent retry becomes one with backoff.
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

    /// Returns the number of failed attempts that use up retries.
    pub(super) fn counted(self) -> u32 {
        self.counted
    }

    /// Returns the number of all failed attempts.
    pub(super) fn total(self) -> u32 {
        self.counted + self.transparent
    }
}
