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
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::Body as HttpBody;
use percent_encoding::percent_decode;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    error::{CallError, RetryAdvice},
    transport_error::{self, find_source, root_cause},
};
use crate::contract::MalformedResponse;

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
const GRPC_STATUS_DETAILS: &str = "grpc-status-details-bin";
const GRPC_RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The length of a message prefix in bytes: a compression flag and a 32-bit message length (gRPC
/// over HTTP/2, "Length-Prefixed-Message").
const MESSAGE_PREFIX_BYTES: usize = 5;

/// The observer of the response to one call.
#[derive(Debug, Default)]
pub(super) struct ResponseObserver(Mutex<ObservedResponse>);

/// The part of a response that has arrived.
#[derive(Clone, Debug, Default)]
struct ObservedResponse {
    /// The HTTP status, or `None` before the response headers arrive.
    http_status: Option<StatusCode>,
    /// The headers, followed by the trailers.
    fields: HeaderMap,
    /// The first [`MESSAGE_PREFIX_BYTES`] bytes of the body.
    message_prefix: Vec<u8>,
    body_bytes: u64,
    /// Whether the server ended the response, with the end of the body or with trailers.
    is_complete: bool,
}

impl ResponseObserver {
    pub(super) fn observe_head<B: HttpBody>(&self, response: &mut Response<B>) {
        remove_invalid_details(response.headers_mut());
        self.update(|observed| {
            observed.http_status = Some(response.status());
            observed.fields = response.headers().clone();
            // tonic never polls the body of a response without data ("Trailers-Only"), so the end
            // of such a response must be noted here.
            observed.is_complete = response.body().is_end_stream();
        });
    }

    pub(super) fn observe_data(&self, data: &[u8]) {
        self.update(|observed| {
            let missing = MESSAGE_PREFIX_BYTES - observed.message_prefix.len();
            observed.message_prefix.extend(data.iter().take(missing));
            observed.body_bytes += data.len() as u64;
        });
    }

    pub(super) fn observe_trailers(&self, trailers: &mut HeaderMap) {
        remove_invalid_details(trailers);
        self.update(|observed| {
            for (name, value) in &*trailers {
                observed.fields.append(name, value.clone());
            }
        });
        self.observe_end();
    }

    pub(super) fn observe_end(&self) {
        self.update(|observed| observed.is_complete = true);
    }

    /// Verifies a response that tonic accepted: the response must be a gRPC response with status OK
    /// and exactly one message. Returns `code`, which is the code in that message.
    pub(super) fn verify_success(&self, code: i32) -> Result<i32, CallError> {
        let observed = self.observed();
        match observed.grpc_code()? {
            Some(Code::Ok) => {}
            Some(code) => return Err(observed.status_error(code, None)),
            None => return Err(CallError::MissingStatus),
        }
        if let Some(error) = observed.http_error() {
            return Err(error);
        }
        if !observed.has_one_message() {
            let reason = "more than one message, or a part of one".to_owned();
            return Err(CallError::MalformedResponse(reason));
        }
        Ok(code)
    }

    /// Classifies the response to a call for which tonic returned an error status.
    pub(super) fn classify_failure(&self, status: &Status) -> CallError {
        let observed = self.observed();
        match observed.grpc_code() {
            Ok(Some(Code::Ok) | None) => {}
            Ok(Some(code)) => return observed.status_error(code, Some(status)),
            Err(error) => return error,
        }
        if let Some(error) = status.source().and_then(transport_error::classify) {
            return error;
        }
        if observed.http_status.is_none() {
            return CallError::ConnectionLost(root_cause(status));
        }
        if let Some(error) = observed.http_error() {
            return error;
        }
        if let Some(malformed) = find_source::<MalformedResponse>(status) {
            return CallError::MalformedResponse(malformed.0.clone());
        }
        let has_status = observed.fields.contains_key(GRPC_STATUS);
        match observed.body_bytes {
            0 if observed.is_complete && has_status => CallError::MissingMessage,
            0 if observed.is_complete => CallError::MissingStatus,
            _ if observed.is_complete && !has_status && observed.has_one_message() => {
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
        let mut values = self.fields.get_all(GRPC_STATUS).iter();
        let Some(first) = values.next() else {
            return Ok(None);
        };
        if values.any(|value| value != first) {
            return Err(CallError::InvalidStatus("several".to_owned()));
        }
        let text = String::from_utf8_lossy(first.as_bytes());
        match text.parse::<u8>() {
            Ok(number @ 0..=16) if number.to_string() == text => {
                Ok(Some(Code::from_i32(number.into())))
            }
            _ => Err(CallError::InvalidStatus(text.into_owned())),
        }
    }

    /// Returns the error for a gRPC status other than OK. `status` is the same status as parsed by
    /// tonic, which drops a message that is not valid UTF-8.
    fn status_error(&self, code: Code, status: Option<&Status>) -> CallError {
        let message = self.fields.get(GRPC_MESSAGE).map(HeaderValue::as_bytes);
        let message = percent_decode(message.unwrap_or_default()).decode_utf8_lossy();
        CallError::from_status(code, message.into_owned(), self.retry_advice(status))
    }

    /// Returns the server's retry advice. `grpc-retry-pushback-ms` overrides the `RetryInfo` in the
    /// status details.
    fn retry_advice(&self, status: Option<&Status>) -> RetryAdvice {
        if let Some(pushback) = self.fields.get(GRPC_RETRY_PUSHBACK) {
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
        if let Some(status) = self.http_status.filter(|status| *status != StatusCode::OK) {
            return Some(CallError::HttpStatus(status.as_u16()));
        }
        let content_type = self.fields.get(header::CONTENT_TYPE);
        let content_type = content_type.map_or(&b"none"[..], HeaderValue::as_bytes);
        // gRPC over HTTP/2, "Content-Type": an optional `+FORMAT` or parameters.
        match content_type.strip_prefix(b"application/grpc") {
            Some([] | [b'+' | b';', ..]) => None,
            _ => Some(CallError::NotGrpc {
                content_type: String::from_utf8_lossy(content_type).into_owned(),
            }),
        }
    }

    /// Returns whether the body consists of exactly one complete message.
    fn has_one_message(&self) -> bool {
        match *self.message_prefix.as_slice() {
            [_, a, b, c, d] => {
                let message_bytes = u64::from(u32::from_be_bytes([a, b, c, d]));
                self.body_bytes == MESSAGE_PREFIX_BYTES as u64 + message_bytes
            }
            _ => false,
        }
    }
}

/// Removes status details that are not Base64, because they would make tonic panic.
fn remove_invalid_details(headers: &mut HeaderMap) {
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
