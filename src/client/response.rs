//! [`ResponseObserver`]: derives the result of a call from the response that the server sent.
//!
//! tonic turns every unexpected response into a gRPC status that tonic itself chooses. The observer
//! notes the HTTP status, the headers, the body and the trailers, which show whether the server or
//! tonic chose the status.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use data_encoding::{BASE64, BASE64_NOPAD};
use http::{HeaderMap, HeaderValue, Response, header};
use hyper::body::Body as HttpBody;
use percent_encoding::percent_decode;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    error::{CallError, RetryAdvice},
    error_chain::{find_source, is_protocol_error, root_cause},
};
use crate::contract::MalformedResponse;

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
const GRPC_STATUS_DETAILS: &str = "grpc-status-details-bin";
const GRPC_RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The length of a message prefix in bytes: a compression flag and a 32-bit message length (gRPC
/// over HTTP/2, "Length-Prefixed-Message").
const MESSAGE_PREFIX_BYTES: usize = 5;

/// The observer of the response to one call. It holds the part of the response that has arrived.
#[derive(Debug, Default)]
pub(super) struct ResponseObserver(Mutex<ObservedResponse>);

#[derive(Clone, Debug, Default)]
struct ObservedResponse {
    /// The HTTP status, or `None` before the response headers arrive.
    http_status: Option<u16>,
    content_type: String,
    /// The `grpc-status` fields of the headers and of the trailers.
    grpc_status: Vec<HeaderValue>,
    /// The first `grpc-message` field. tonic drops a message that is not valid UTF-8.
    grpc_message: Option<HeaderValue>,
    /// The first `grpc-retry-pushback-ms` field.
    pushback: Option<HeaderValue>,
    body: ReceivedBody,
    /// Whether the server ended the response, with the end of the body or with trailers.
    is_complete: bool,
}

/// The part of a response body that has arrived.
#[derive(Clone, Debug, Default)]
struct ReceivedBody {
    /// The first [`MESSAGE_PREFIX_BYTES`] bytes of the body: the compression flag and the length of
    /// the message.
    prefix: Vec<u8>,
    /// The number of bytes that have arrived.
    length: u64,
}

impl ReceivedBody {
    fn add(&mut self, data: &[u8]) {
        let missing = MESSAGE_PREFIX_BYTES - self.prefix.len();
        self.prefix.extend(data.iter().take(missing));
        self.length += data.len() as u64;
    }

    /// Returns whether the body consists of exactly one complete message.
    fn is_one_message(&self) -> bool {
        match *self.prefix.as_slice() {
            [_, a, b, c, d] => {
                let message_length = u32::from_be_bytes([a, b, c, d]);
                self.length == MESSAGE_PREFIX_BYTES as u64 + u64::from(message_length)
            }
            _ => false,
        }
    }
}

impl ResponseObserver {
    /// Notes the status and the headers of a response.
    pub(super) fn observe_head<B: HttpBody>(&self, response: &mut Response<B>) {
        self.update(|observed| {
            observed.http_status = Some(response.status().as_u16());
            // tonic never polls the body of a response without data ("Trailers-Only"), so the end
            // of such a response must be noted here.
            observed.is_complete = response.body().is_end_stream();
            observed.content_type = response
                .headers()
                .get(header::CONTENT_TYPE)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .unwrap_or_else(|| "unknown".to_owned());
        });
        self.observe_grpc_fields(response.headers_mut());
    }

    pub(super) fn observe_data(&self, data: &[u8]) {
        self.update(|observed| observed.body.add(data));
    }

    pub(super) fn observe_trailers(&self, trailers: &mut HeaderMap) {
        self.observe_grpc_fields(trailers);
        self.observe_end();
    }

    pub(super) fn observe_end(&self) {
        self.update(|observed| observed.is_complete = true);
    }

    /// Notes the gRPC fields of headers or trailers. Also removes status details that are not
    /// Base64, because such details would make tonic panic.
    fn observe_grpc_fields(&self, headers: &mut HeaderMap) {
        let statuses: Vec<_> = headers.get_all(GRPC_STATUS).iter().cloned().collect();
        let message = headers.get(GRPC_MESSAGE).cloned();
        let pushback = headers.get(GRPC_RETRY_PUSHBACK).cloned();
        self.update(|observed| {
            observed.grpc_status.extend(statuses);
            observed.grpc_message = observed.grpc_message.take().or(message);
            observed.pushback = observed.pushback.take().or(pushback);
        });
        let is_base64 = |value: &HeaderValue| {
            let value = value.as_bytes();
            BASE64.decode(value).is_ok() || BASE64_NOPAD.decode(value).is_ok()
        };
        if headers
            .get(GRPC_STATUS_DETAILS)
            .is_some_and(|value| !is_base64(value))
        {
            headers.remove(GRPC_STATUS_DETAILS);
        }
    }

    /// Verifies a response that tonic accepted: the response must be a gRPC response with status OK
    /// and exactly one message. Returns `code`, which is the code in that message.
    pub(super) fn verify_success(&self, code: i32) -> Result<i32, CallError> {
        let observed = self.observed();
        match observed.grpc_code()? {
            Some(Code::Ok) => {}
            Some(code) => {
                return Err(observed.status_error(code, None));
            }
            None => return Err(CallError::MissingStatus),
        }
        if let Some(error) = observed.http_error() {
            return Err(error);
        }
        if !observed.body.is_one_message() {
            return Err(CallError::MalformedResponse(
                "more than one message, or a part of one".to_owned(),
            ));
        }
        Ok(code)
    }

    /// Classifies the response to a call for which tonic returned an error status.
    pub(super) fn classify_failure(&self, status: &Status) -> CallError {
        let observed = self.observed();
        match observed.grpc_code() {
            Ok(Some(Code::Ok) | None) => {}
            Ok(Some(code)) => {
                return observed.status_error(code, Some(status));
            }
            Err(error) => return error,
        }
        if let Some(error) = transport_error(status.source()) {
            return error;
        }
        if observed.http_status.is_none() {
            return CallError::ConnectionLost(root_cause(status));
        }
        if let Some(error) = observed.http_error() {
            return error;
        }
        if let Some(malformed) = find_source::<MalformedResponse>(status.source()) {
            return CallError::MalformedResponse(malformed.0.clone());
        }
        let has_no_status = observed.grpc_status.is_empty();
        match observed.body.length {
            0 if observed.is_complete && has_no_status => CallError::MissingStatus,
            0 if observed.is_complete => CallError::MissingMessage,
            _ if observed.is_complete && has_no_status && observed.body.is_one_message() => {
                CallError::MissingStatus
            }
            // tonic could not decode the body, or the body holds no complete message.
            _ => CallError::MalformedResponse(status.message().to_owned()),
        }
    }

    fn observed(&self) -> ObservedResponse {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn update(&self, change: impl FnOnce(&mut ObservedResponse)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ObservedResponse {
    /// Returns the gRPC status that the server sent, or `None` if the server sent no status. An
    /// invalid status is an error, although tonic would turn an invalid status into UNKNOWN.
    fn grpc_code(&self) -> Result<Option<Code>, CallError> {
        let value = match self.grpc_status.as_slice() {
            [] => return Ok(None),
            [value] => value,
            [first, rest @ ..] if rest.iter().all(|value| value == first) => first,
            _ => return Err(CallError::InvalidStatus("several".to_owned())),
        };
        let text = String::from_utf8_lossy(value.as_bytes());
        match text.parse::<u8>() {
            Ok(number @ 0..=16) if number.to_string() == text => {
                Ok(Some(Code::from_i32(i32::from(number))))
            }
            _ => Err(CallError::InvalidStatus(text.into_owned())),
        }
    }

    /// Returns the error for a gRPC status other than OK. `status` is the same status as parsed by
    /// tonic.
    fn status_error(&self, code: Code, status: Option<&Status>) -> CallError {
        let message = self
            .grpc_message
            .as_ref()
            .map_or(&b""[..], HeaderValue::as_bytes);
        let message = percent_decode(message).decode_utf8_lossy().into_owned();
        CallError::from_status(code, message, self.retry_advice(status))
    }

    /// Returns the server's retry advice. `grpc-retry-pushback-ms` overrides the `RetryInfo` in the
    /// status details.
    fn retry_advice(&self, status: Option<&Status>) -> RetryAdvice {
        if let Some(pushback) = &self.pushback {
            // A negative or invalid value means "do not retry" (gRFC A6).
            let millis = pushback.to_str().ok().and_then(|text| text.parse().ok());
            return millis.map_or(RetryAdvice::Never, |millis: u32| {
                RetryAdvice::After(Duration::from_millis(millis.into()))
            });
        }
        let delay = status
            .and_then(StatusExt::get_details_retry_info)
            .and_then(|info| info.retry_delay);
        match delay {
            None => RetryAdvice::Unspecified,
            // A delay of more than `u32::MAX` milliseconds means "do not retry", as an invalid
            // number in `grpc-retry-pushback-ms` does.
            Some(delay) if delay.as_millis() > u128::from(u32::MAX) => RetryAdvice::Never,
            Some(delay) => RetryAdvice::After(delay),
        }
    }

    /// Returns an error if the HTTP response is not a gRPC response, else `None`.
    fn http_error(&self) -> Option<CallError> {
        if let Some(status) = self.http_status.filter(|status| *status != 200) {
            return Some(CallError::HttpStatus(status));
        }
        (!is_grpc(&self.content_type)).then(|| CallError::NotGrpc {
            content_type: self.content_type.clone(),
        })
    }
}

/// Classifies the error of a connection that ended before a call began on that connection.
pub(super) fn classify_connection_error(error: &(dyn Error + 'static)) -> CallError {
    transport_error(Some(error)).unwrap_or_else(|| CallError::ConnectionLost(root_cause(error)))
}

/// Classifies the error of a stream or a connection that ended early. Returns `None` if neither the
/// error nor its sources come from the HTTP/2 or TLS connection.
fn transport_error(error: Option<&(dyn Error + 'static)>) -> Option<CallError> {
    if let Some(error) = error.filter(|error| is_protocol_error(*error)) {
        return Some(CallError::ProtocolError(root_cause(error)));
    }
    if let Some(h2) = find_source::<h2::Error>(error) {
        return Some(match h2.reason() {
            Some(reason) if h2.is_reset() && h2.is_remote() => CallError::StreamReset(reason),
            Some(reason) if h2.is_go_away() && h2.is_remote() => CallError::GoAway(reason),
            _ => CallError::ConnectionLost(h2.to_string()),
        });
    }
    find_source::<hyper::Error>(error).map(|error| {
        if error.is_canceled() || error.is_closed() {
            CallError::NotSent {
                cause: root_cause(error),
                has_goaway: false,
            }
        } else {
            CallError::ConnectionLost(root_cause(error))
        }
    })
}

/// Returns whether a content type is `application/grpc`, with an optional `+FORMAT` or parameters
/// (gRPC over HTTP/2, "Content-Type").
fn is_grpc(content_type: &str) -> bool {
    content_type
        .strip_prefix("application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}
