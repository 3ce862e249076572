//! Which failures are worth another try, and when.

use std::{cell::Cell, time::Duration};

use http::StatusCode;
use tonic::Code;

use crate::client::{CallError, ConnectError, ConnectErrorKind, RetryAdvice};

/// How a push goes about its requests.
pub(crate) struct DeliveryPolicy {
    /// Requests in flight.
    pub(crate) concurrency: usize,
    /// Further tries of one request, and of one connection.
    pub(crate) max_retries: u32,
    /// The longest wait before the first further try; it doubles with each.
    pub(crate) base_delay: Duration,
    pub(crate) max_delay: Duration,
    /// Response codes that mean success.
    pub(crate) ok_codes: Vec<i32>,
    /// Whether a request refused with `INVALID_ARGUMENT` is split until the offending records
    /// stand alone.
    pub(crate) isolates_invalid_records: bool,
    /// Records a second, at most.
    pub(crate) max_records_per_second: Option<u64>,
    /// When the whole run must be over.
    pub(crate) deadline: Option<tokio::time::Instant>,
    /// A random time up to this one. Tests give the time itself.
    pub(crate) jitter: fn(Duration) -> Duration,
}

impl DeliveryPolicy {
    /// One try, for what is not a push.
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
}

/// What a failed try means for its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// No further try.
    No,
    /// At once, and it does not count: the server did not process the request.
    Free,
    /// With exponential backoff.
    Backoff,
    /// With exponential backoff after a while in which the server wants to be left alone.
    Calm,
    /// After exactly this time.
    After(Duration),
}

/// Tries that do not count, of one request or connection. More of them and the server is not well.
const FREE_TRIES: u32 = 10;

/// The tries of one request or connection that have failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    counted: u32,
    free: u32,
}

impl Tries {
    /// Counts a failed one; what it means then.
    pub(super) fn count(&mut self, again: Again) -> Again {
        if again == Again::Free && self.free < FREE_TRIES {
            self.free += 1;
            return Again::Free;
        }
        self.counted += 1;
        match again {
            Again::Free => Again::Backoff,
            other => other,
        }
    }

    /// The free ones too.
    pub(super) fn all(self) -> u32 {
        self.counted + self.free
    }
}

/// How many times the usual delay a server is left alone that asks for calm.
const CALM: u32 = 4;

/// Whether a request that failed so is worth another try. An update is idempotent, so that one
/// which may have arrived can be sent again.
pub(super) fn again(error: &CallError) -> Again {
    match error {
        CallError::Status { code, advice, .. } => match (advice, code) {
            _ if !is_passing(*code) || error.is_message_too_large() => Again::No,
            (RetryAdvice::Never, _) => Again::No,
            (RetryAdvice::After(time), _) => Again::After(*time),
            (RetryAdvice::Unspecified, _) => Again::Backoff,
        },
        CallError::HttpStatus(429 | 502..=504)
        | CallError::TimedOut(_)
        | CallError::ConnectionLost(_) => Again::Backoff,
        CallError::StreamReset(h2::Reason::ENHANCE_YOUR_CALM)
        | CallError::GoAway(h2::Reason::ENHANCE_YOUR_CALM) => Again::Calm,
        CallError::StreamReset(h2::Reason::REFUSED_STREAM)
        | CallError::GoAway(h2::Reason::NO_ERROR)
        | CallError::NotSent {
            has_goaway: true, ..
        } => Again::Free,
        CallError::StreamReset(_) | CallError::GoAway(_) | CallError::NotSent { .. } => {
            Again::Backoff
        }
        CallError::HttpStatus(_)
        | CallError::NotGrpc { .. }
        | CallError::MalformedResponse(_)
        | CallError::MissingMessage
        | CallError::MissingStatus
        | CallError::InvalidStatus(_)
        | CallError::ProtocolError(_)
        | CallError::Panicked => Again::No,
    }
}

/// Statuses that say that the same request may fare better later.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::ResourceExhausted
    )
}

/// Whether a server that could not be reached so is worth another connection.
pub(super) fn dial_again(error: &ConnectError) -> Again {
    match &error.kind {
        ConnectErrorKind::GoAway(h2::Reason::NO_ERROR) => Again::Free,
        ConnectErrorKind::GoAway(h2::Reason::ENHANCE_YOUR_CALM) => Again::Calm,
        ConnectErrorKind::TimedOut(_)
        | ConnectErrorKind::Io(_)
        | ConnectErrorKind::NoAddress
        | ConnectErrorKind::AllAddressesFailed(_)
        | ConnectErrorKind::Closed
        | ConnectErrorKind::GoAway(_)
        | ConnectErrorKind::Http2(_) => Again::Backoff,
        ConnectErrorKind::ProxyRefused(status)
            if status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS =>
        {
            Again::Backoff
        }
        ConnectErrorKind::ProxyRefused(_)
        | ConnectErrorKind::Tls(_)
        | ConnectErrorKind::AlpnNotHttp2(_)
        | ConnectErrorKind::NotHttp2(_)
        | ConnectErrorKind::ProtocolError(_)
        | ConnectErrorKind::ProxyNotHttp
        | ConnectErrorKind::ClientCertificateRequested
        | ConnectErrorKind::ServerExpectsTls => Again::No,
    }
}

impl DeliveryPolicy {
    /// How long to wait before the further try of this number, counted from 1: at random up to a
    /// time that doubles ("full jitter").
    pub(super) fn backoff(&self, number: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(number.saturating_sub(1));
        let longest = self.base_delay.saturating_mul(doubled).min(self.max_delay);
        (self.jitter)(longest)
    }

    /// The same where the server asked for calm.
    fn calm(&self, number: u32) -> Duration {
        self.base_delay.saturating_mul(CALM) + self.backoff(number)
    }

    /// How long to wait for another try after those; `None` where there is to be none.
    pub(super) fn wait(&self, again: Again, tries: Tries) -> Option<Duration> {
        if tries.counted > self.max_retries {
            return None;
        }
        match again {
            Again::No => None,
            Again::Free => Some(Duration::ZERO),
            Again::Backoff => Some(self.backoff(tries.counted)),
            Again::Calm => Some(self.calm(tries.counted)),
            Again::After(time) => Some(time),
        }
    }
}

/// Notices a server that fails most tries (gRFC A6 "throttling"). A request has the tries that it
/// was given all the same; they come as rarely as ever.
#[derive(Debug)]
pub(super) struct Throttle {
    tokens: Cell<u32>,
    most: u32,
}

/// A failure takes a token, a success gives one back: a server that takes each request at its
/// second try is slow, and not dying.
const TOKEN: u32 = 1;

impl Throttle {
    /// One that lets every request in flight use all of its tries once.
    pub(super) fn new(policy: &DeliveryPolicy) -> Self {
        const LEAST: u32 = 20;
        let concurrency = u32::try_from(policy.concurrency).unwrap_or(u32::MAX);
        let tries = policy
            .max_retries
            .saturating_add(1)
            .saturating_mul(concurrency);
        let most = tries.saturating_mul(2).max(LEAST).saturating_mul(TOKEN);
        Self {
            tokens: Cell::new(most),
            most,
        }
    }

    pub(super) fn succeeded(&self) {
        let more = self.tokens.get().saturating_add(TOKEN);
        self.tokens.set(more.min(self.most));
    }

    pub(super) fn failed(&self) {
        self.tokens.set(self.tokens.get().saturating_sub(TOKEN));
    }

    /// Whether further tries may come as soon as usual.
    pub(super) fn allows(&self) -> bool {
        self.tokens.get() > self.most / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: Code, message: &str, advice: RetryAdvice) -> CallError {
        CallError::Status {
            code,
            message: message.to_owned(),
            advice,
        }
    }

    #[test]
    fn what_is_worth_another_try() {
        const TOO_LARGE: &str = "grpc: received message larger than max (5 vs. 4)";
        let second = Duration::from_secs(1);
        let plain = |code| status(code, "", RetryAdvice::Unspecified);
        let not_sent = |has_goaway| CallError::NotSent {
            causes: Vec::new(),
            has_goaway,
        };
        for (error, expected) in [
            (plain(Code::Unavailable), Again::Backoff),
            (plain(Code::DeadlineExceeded), Again::Backoff),
            (plain(Code::Aborted), Again::Backoff),
            (plain(Code::ResourceExhausted), Again::Backoff),
            (
                status(Code::ResourceExhausted, TOO_LARGE, RetryAdvice::Unspecified),
                Again::No,
            ),
            (
                status(Code::Unavailable, "", RetryAdvice::After(second)),
                Again::After(second),
            ),
            (status(Code::Unavailable, "", RetryAdvice::Never), Again::No),
            // What is final stays so, whatever else the server says.
            (
                status(Code::InvalidArgument, "", RetryAdvice::After(second)),
                Again::No,
            ),
            (plain(Code::Unknown), Again::No),
            (plain(Code::Internal), Again::No),
            (plain(Code::Cancelled), Again::No),
            (plain(Code::DataLoss), Again::No),
            (plain(Code::Unauthenticated), Again::No),
            (plain(Code::Unimplemented), Again::No),
            (CallError::HttpStatus(503), Again::Backoff),
            (CallError::HttpStatus(429), Again::Backoff),
            (CallError::HttpStatus(401), Again::No),
            (CallError::TimedOut(second), Again::Backoff),
            (CallError::ConnectionLost(Vec::new()), Again::Backoff),
            (not_sent(true), Again::Free),
            (not_sent(false), Again::Backoff),
            (
                CallError::StreamReset(h2::Reason::REFUSED_STREAM),
                Again::Free,
            ),
            (CallError::GoAway(h2::Reason::NO_ERROR), Again::Free),
            (
                CallError::StreamReset(h2::Reason::INTERNAL_ERROR),
                Again::Backoff,
            ),
            (CallError::StreamReset(h2::Reason::CANCEL), Again::Backoff),
            (
                CallError::StreamReset(h2::Reason::ENHANCE_YOUR_CALM),
                Again::Calm,
            ),
            (CallError::MissingStatus, Again::No),
            (CallError::MalformedResponse(String::new()), Again::No),
            (CallError::Panicked, Again::No),
        ] {
            assert_eq!(again(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = DeliveryPolicy {
            concurrency: 1,
            max_retries: 9,
            base_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(1),
            ok_codes: vec![0],
            isolates_invalid_records: false,
            max_records_per_second: None,
            deadline: None,
            jitter: |longest| longest,
        };
        let waits: Vec<_> = (1..=5).map(|number| policy.backoff(number)).collect();
        assert_eq!(
            waits,
            [200, 400, 800, 1000, 1000].map(Duration::from_millis)
        );
        assert_eq!(policy.calm(1), Duration::from_secs(1));
        assert_eq!(policy.backoff(u32::MAX), Duration::from_secs(1));
    }

    #[test]
    fn a_dying_server_is_not_hammered() {
        let throttle = Throttle {
            tokens: Cell::new(40 * TOKEN),
            most: 40 * TOKEN,
        };
        for _ in 0..19 {
            throttle.failed();
            assert!(throttle.allows());
        }
        throttle.failed();
        assert!(!throttle.allows());
        throttle.succeeded();
        assert!(throttle.allows());
    }
}
