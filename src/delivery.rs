//! Requests to outcomes: what is sent, and what each answer means.

use std::{collections::BTreeMap, future::Future};

use bytes::Bytes;
use tonic::Code;

use crate::{
    batch::Batches,
    client::{CallError, Client},
    signal::{Signal, Signals},
    source::Problem,
};

/// Something that takes one request message and brings the response's code.
pub(crate) trait Exchange {
    fn exchange(&self, message: Bytes) -> impl Future<Output = Result<i32, CallError>>;
}

impl Exchange for Client {
    async fn exchange(&self, message: Bytes) -> Result<i32, CallError> {
        self.send(message).await
    }
}

/// What became of a push.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Records.
    pub(crate) acknowledged: u64,
    /// Records of requests that were answered with a code that is not OK.
    pub(crate) rejected: u64,
    /// Requests that were tried.
    pub(crate) sent: u64,
    /// Requests that were not acknowledged.
    pub(crate) failed: u64,
    /// Answered requests by the response's code.
    pub(crate) codes: BTreeMap<i32, u64>,
    /// The first failure that concerned its request alone.
    pub(crate) refusal: Option<CallError>,
    /// Why no more was sent.
    pub(crate) end: Option<End>,
    /// The signal that came meanwhile, if one did.
    pub(crate) signal: Option<Signal>,
}

/// What ends a push before its last record.
#[derive(Debug)]
pub(crate) enum End {
    Call(CallError),
    Input(Problem),
    Signal,
}

/// Sends every request in turn. A failure that concerns its own request only is counted, any other
/// ends the push, and so does a signal when the open request has ended.
pub(crate) async fn deliver(
    batches: &mut Batches<'_>,
    server: &impl Exchange,
    ok_codes: &[i32],
    signals: &Signals,
) -> Delivery {
    let mut delivery = Delivery::default();
    while delivery.end.is_none() {
        if signals.arrived().is_some() {
            delivery.end = Some(End::Signal);
            break;
        }
        match batches.next() {
            Ok(Some(batch)) => {
                delivery.sent += 1;
                let answer = server.exchange(batch.message).await;
                delivery.take(answer, batch.records, ok_codes);
            }
            Ok(None) => break,
            Err(problem) => delivery.end = Some(End::Input(problem)),
        }
    }
    delivery.signal = signals.arrived();
    delivery
}

impl Delivery {
    /// Takes one request's outcome.
    fn take(&mut self, answer: Result<i32, CallError>, records: u64, ok_codes: &[i32]) {
        match answer {
            Ok(code) => {
                *self.codes.entry(code).or_default() += 1;
                if ok_codes.contains(&code) {
                    self.acknowledged += records;
                } else {
                    self.rejected += records;
                    self.failed += 1;
                }
            }
            Err(error) => {
                self.failed += 1;
                if error.is_of_its_request() {
                    self.refusal.get_or_insert(error);
                } else {
                    self.end = Some(End::Call(error));
                }
            }
        }
    }
}

impl CallError {
    /// Whether another request may fare better on the same server.
    fn is_of_its_request(&self) -> bool {
        match self {
            Self::Status { code, message } => match code {
                Code::InvalidArgument => true,
                Code::ResourceExhausted | Code::OutOfRange => names_size(message),
                _ => false,
            },
            _ => false,
        }
    }
}

/// Whether a refusal is about the message's size, in the words of the common implementations:
/// "larger than max", "message length too large", "exceeds maximum size".
fn names_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "larger than max",
        "too large",
        "maximum size",
        "message size",
    ]
    .iter()
    .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_request_itself_caused_lets_the_push_go_on() {
        let status = |code, message: &str| CallError::Status {
            code,
            message: message.to_owned(),
        };
        for (error, goes_on) in [
            (status(Code::InvalidArgument, ""), true),
            (
                status(
                    Code::ResourceExhausted,
                    "grpc: received message larger than max (5 vs. 4)",
                ),
                true,
            ),
            (
                status(
                    Code::OutOfRange,
                    "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
                ),
                true,
            ),
            (status(Code::ResourceExhausted, "quota exceeded"), false),
            (status(Code::Unavailable, ""), false),
            (status(Code::Unauthenticated, ""), false),
            (CallError::NoStatus, false),
            (
                CallError::TimedOut(std::time::Duration::from_secs(1)),
                false,
            ),
        ] {
            assert_eq!(error.is_of_its_request(), goes_on, "{error:?}");
        }
    }
}
