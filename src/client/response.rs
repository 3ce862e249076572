//! The HTTP response of a gRPC call (gRPC doc/PROTOCOL-HTTP2.md, "Responses").

use std::{fmt::Display, future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Incoming};
use percent_encoding::percent_decode;
use tonic::Code;

use super::{error::CallError, retry_advice::RetryAdvice, transport_error::classify};
use crate::contract::PREFIX_BYTES;

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";

const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Returns the message of a response with status OK and exactly one message.
pub(super) async fn read_message(response: Response<Incoming>) -> Result<Bytes, CallError> {
    let (head, mut body) = response.into_parts();
    let mut fields = head.headers;
    let content_type = fields.get(header::CONTENT_TYPE);
    let content_type = content_type.map_or(&b"none"[..], HeaderValue::as_bytes);
    // An optional format such as `+proto`, or parameters, may follow.
    let format = content_type.strip_prefix(b"application/grpc");
    let is_grpc = matches!(format, Some([] | [b'+' | b';', ..]));
    let http_error = match head.status {
        StatusCode::OK if is_grpc => None,
        StatusCode::OK => Some(CallError::NotGrpc {
            content_type: String::from_utf8_lossy(content_type).into_owned(),
        }),
        StatusCode::PAYLOAD_TOO_LARGE => Some(CallError::TooLarge {
            code: Code::Unknown,
            message: "HTTP status 413".to_owned(),
        }),
        status => Some(CallError::HttpStatus {
            status: status.as_u16(),
            advice: RetryAdvice::of_http_status(&fields),
        }),
    };
    if !is_grpc && !fields.contains_key(GRPC_STATUS) {
        // A body that is not gRPC may be long, or never end.
        http_error.clone().map_or(Ok(()), Err)?;
    }
    let mut data = BytesMut::new();
    let end = loop {
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => {
                for (name, value) in frame.trailers_ref().into_iter().flatten() {
                    fields.append(name, value.clone());
                }
                data.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
            Some(Err(error)) => break Err(classify(&error)),
            None if body.is_end_stream() => break Ok(()),
            // hyper reports a reset without an error as the end of the body.
            None => break Err(CallError::StreamReset(h2::Reason::NO_ERROR)),
        }
        match message_bytes(&data) {
            Some(bytes) if bytes > MAX_MESSAGE_BYTES => {
                break Err(CallError::InvalidFraming("message larger than 16 MiB"));
            }
            Some(bytes) if data.len() > PREFIX_BYTES + bytes => {
                break Err(CallError::InvalidFraming("more than one message"));
            }
            _ => {}
        }
    };
    let code = grpc_code(&fields)?;
    if let Some(code) = code.filter(|code| *code != Code::Ok) {
        return Err(status_error(code, &fields));
    }
    end.and(http_error.map_or(Ok(()), Err))?;
    let is_complete = message_bytes(&data).is_some_and(|bytes| data.len() == PREFIX_BYTES + bytes);
    match code {
        Some(_) if is_complete && data[0] == 0 => Ok(data.freeze().split_off(PREFIX_BYTES)),
        Some(_) if data.is_empty() => Err(CallError::MissingMessage),
        None if is_complete || data.is_empty() => Err(CallError::MissingStatus),
        _ if !is_complete => Err(CallError::InvalidFraming("truncated message")),
        // The request does not offer `grpc-accept-encoding`.
        _ if data[0] == 1 => Err(CallError::InvalidFraming("unrequested compression")),
        _ => Err(CallError::InvalidFraming("unknown compression flag")),
    }
}

pub(super) fn malformed(reason: impl Display) -> CallError {
    CallError::MalformedResponse(reason.to_string())
}

/// Returns the length of the first message from its prefix, or `None` if the prefix is incomplete.
fn message_bytes(data: &[u8]) -> Option<usize> {
    let length = data.get(1..PREFIX_BYTES)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(length)).ok()
}

/// Returns the gRPC status that the server sent, or `None` if the server sent no status.
fn grpc_code(fields: &HeaderMap) -> Result<Option<Code>, CallError> {
    let mut values = fields.get_all(GRPC_STATUS).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|value| value != first) {
        return Err(CallError::SeveralStatuses);
    }
    let text = String::from_utf8_lossy(first.as_bytes());
    match text.parse::<u8>() {
        Ok(number @ 0..=16) if number.to_string() == text => {
            Ok(Some(Code::from_i32(number.into())))
        }
        _ => Err(CallError::InvalidStatus(text.into_owned())),
    }
}

fn status_error(code: Code, fields: &HeaderMap) -> CallError {
    let message = fields.get(GRPC_MESSAGE).map(HeaderValue::as_bytes);
    let message = percent_decode(message.unwrap_or_default()).decode_utf8_lossy();
    CallError::from_status(
        code,
        message.into_owned(),
        RetryAdvice::of_grpc_status(fields),
    )
}
