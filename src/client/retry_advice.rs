//! [`RetryAdvice`]: the server's advice on retrying a failed call.

use std::{fmt, time::Duration};

use data_encoding::{BASE64, BASE64_NOPAD};
use http::{HeaderMap, HeaderValue, header};
use prost::Message;
use tonic_types::{RetryInfo, pb};

const GRPC_STATUS_DETAILS: &str = "grpc-status-details-bin";
const GRPC_RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RetryAdvice {
    #[default]
    Unspecified,
    /// The server asks for a retry after exactly this delay (`grpc-retry-pushback-ms` of gRFC A6,
    /// `google.rpc.RetryInfo`, or `Retry-After` of HTTP).
    After(Duration),
    Never,
    /// `grpc-retry-pushback-ms` is not a number, which means "do not retry" (gRFC A6).
    Invalid,
}

impl RetryAdvice {
    /// A longer delay means "do not retry", because the run would keep its ledger locked for that
    /// time.
    pub(crate) const MAX_DELAY: Duration = Duration::from_secs(600);

    /// Reads the advice that accompanies a gRPC status. `grpc-retry-pushback-ms` overrides the
    /// `RetryInfo` in the status details.
    pub(super) fn of_grpc_status(fields: &HeaderMap) -> Self {
        if let Some(pushback) = fields.get(GRPC_RETRY_PUSHBACK) {
            return Self::of_pushback(pushback);
        }
        retry_info_delay(fields).map_or(Self::Unspecified, Self::After)
    }

    fn of_pushback(millis: &HeaderValue) -> Self {
        let millis = millis
            .to_str()
            .ok()
            .and_then(|text| text.parse::<i64>().ok());
        match millis.map(u64::try_from) {
            Some(Ok(millis)) => Self::After(Duration::from_millis(millis)),
            Some(Err(_)) => Self::Never,
            None => Self::Invalid,
        }
    }

    /// Reads the advice that accompanies an HTTP status (RFC 9110 section 10.2.3). A date means the
    /// usual backoff, because the clocks of server and client may differ.
    pub(super) fn of_http_status(fields: &HeaderMap) -> Self {
        let seconds = fields.get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        seconds.map_or(Self::Unspecified, |seconds| {
            Self::After(Duration::from_secs(seconds))
        })
    }
}

/// Writes the advice in parentheses if the advice is the reason why a call is not retried.
impl fmt::Display for RetryAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(delay) if *delay > Self::MAX_DELAY => write!(
                f,
                " (server asks for a retry after {delay:?}, more than the maximum of 10 minutes)"
            ),
            Self::Never => f.write_str(" (server asks not to retry)"),
            Self::Invalid => write!(f, " (not retried: {GRPC_RETRY_PUSHBACK} is not a number)"),
            Self::Unspecified | Self::After(_) => Ok(()),
        }
    }
}

/// Returns the delay in `google.rpc.RetryInfo`. A negative part of the delay is 0.
fn retry_info_delay(fields: &HeaderMap) -> Option<Duration> {
    let details = fields.get(GRPC_STATUS_DETAILS)?.as_bytes();
    let padded = BASE64.decode(details);
    let details = padded.or_else(|_| BASE64_NOPAD.decode(details)).ok()?;
    let status = pb::Status::decode(&*details).ok()?;
    let is_retry_info = |any: &&prost_types::Any| any.type_url == RetryInfo::TYPE_URL;
    let any = status.details.iter().find(is_retry_info)?;
    let delay = pb::RetryInfo::decode(&*any.value).ok()?.retry_delay?;
    // The conversion of `prost_types` overflows at the limits of the numbers.
    let seconds = Duration::from_secs(delay.seconds.try_into().unwrap_or_default());
    let nanos = Duration::from_nanos(delay.nanos.try_into().unwrap_or_default());
    Some(seconds.saturating_add(nanos))
}
