//! How a call ended, told by what the server sent and not by the status that the library made up.

use std::{
    error::Error,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{body::Incoming, client::conn::http2};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt;

use super::error::{CallError, RetryAdvice};
use crate::{contract::MalformedResponse, metadata::Metadata};

/// What a server sent in one call.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Parts>);

#[derive(Clone, Debug, Default)]
struct Parts {
    http_status: Option<u16>,
    content_type: String,
    grpc_status: Vec<HeaderValue>,
    pushback: Option<HeaderValue>,
    /// The response's body as far as it came.
    body: Received,
    /// Whether the body came to its end.
    ended: bool,
}

/// The start of a body, which is a message's frame, and its length.
#[derive(Clone, Debug, Default)]
struct Received {
    prefix: Vec<u8>,
    length: u64,
}

const GRPC_STATUS: &str = "grpc-status";
const GRPC_DETAILS: &str = "grpc-status-details-bin";
const GRPC_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The flag and the length before each message (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

impl Received {
    fn add(&mut self, data: &[u8]) {
        let room = PREFIX - self.prefix.len();
        self.prefix.extend(data.iter().take(room));
        self.length += data.len() as u64;
    }

    /// Whether it is one message, whole, and nothing else.
    fn is_one_message(&self) -> bool {
        match *self.prefix.as_slice() {
            [_, a, b, c, d] => {
                self.length == PREFIX as u64 + u64::from(u32::from_be_bytes([a, b, c, d]))
            }
            _ => false,
        }
    }
}

impl Seen {
    fn parts(&self) -> Parts {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn update(&self, change: impl FnOnce(&mut Parts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Headers or trailers, made safe for the library, which panics on details that are no base64.
    fn look(&self, headers: &mut HeaderMap) {
        let statuses: Vec<_> = headers.get_all(GRPC_STATUS).iter().cloned().collect();
        let pushback = headers.get(GRPC_PUSHBACK).cloned();
        self.update(|parts| {
            parts.grpc_status.extend(statuses);
            parts.pushback = parts.pushback.take().or(pushback);
        });
        let decodes = |value: &HeaderValue| {
            let value = value.as_bytes();
            BASE64.decode(value).is_ok() || BASE64_NOPAD.decode(value).is_ok()
        };
        if headers
            .get(GRPC_DETAILS)
            .is_some_and(|value| !decodes(value))
        {
            headers.remove(GRPC_DETAILS);
        }
    }

    /// A response that the library takes for a success: it must be one to the letter.
    pub(super) fn success(&self, code: i32) -> Result<i32, CallError> {
        let parts = self.parts();
        match parts.status()? {
            Some(Code::Ok) => {}
            Some(code) => {
                return Err(CallError::Status {
                    code,
                    message: String::new(),
                    advice: parts.advice(None),
                });
            }
            None => return Err(CallError::MissingStatus),
        }
        if let Some(error) = parts.not_grpc() {
            return Err(error);
        }
        if !parts.body.is_one_message() {
            return Err(CallError::MalformedResponse(
                "more than one message, or a part of one".to_owned(),
            ));
        }
        Ok(code)
    }

    /// A call that the library takes for a failure.
    pub(super) fn failure(&self, status: &Status) -> CallError {
        let parts = self.parts();
        match parts.status() {
            Ok(Some(Code::Ok) | None) => {}
            Ok(Some(code)) => {
                return CallError::Status {
                    code,
                    message: status.message().to_owned(),
                    advice: parts.advice(Some(status)),
                };
            }
            Err(error) => return error,
        }
        if let Some(error) = broken(status.source()) {
            return error;
        }
        if parts.http_status.is_none() {
            return CallError::ConnectionLost(chain(status));
        }
        if let Some(error) = parts.not_grpc() {
            return error;
        }
        if let Some(malformed) = find::<MalformedResponse>(status.source()) {
            return CallError::MalformedResponse(malformed.0.clone());
        }
        let no_status = parts.grpc_status.is_empty();
        match parts.body.length {
            0 if parts.ended && no_status => CallError::MissingStatus,
            0 if parts.ended => CallError::MissingMessage,
            _ if parts.ended && no_status && parts.body.is_one_message() => {
                CallError::MissingStatus
            }
            // The library gave the body up, or got no message out of it.
            _ => CallError::MalformedResponse(cut(status.message())),
        }
    }

    /// A connection that was gone before the call began.
    pub(super) fn lost(error: &(dyn Error + 'static)) -> CallError {
        broken(Some(error)).unwrap_or_else(|| CallError::ConnectionLost(chain(error)))
    }
}

impl Parts {
    /// The server's own status. The library takes whatever it does not know for UNKNOWN.
    fn status(&self) -> Result<Option<Code>, CallError> {
        let value = match self.grpc_status.as_slice() {
            [] => return Ok(None),
            [only] => only,
            [first, ..] if self.grpc_status.iter().all(|one| one == first) => first,
            _ => return Err(CallError::InvalidStatus("several".to_owned())),
        };
        let text = String::from_utf8_lossy(value.as_bytes());
        match text.parse::<u8>() {
            Ok(number @ 0..=16) if number.to_string() == text => {
                Ok(Some(Code::from_i32(i32::from(number))))
            }
            // A number says something; what else stands there may be anything.
            Ok(number) => Err(CallError::InvalidStatus(number.to_string())),
            Err(_) => Err(CallError::InvalidStatus("no number".to_owned())),
        }
    }

    /// What the server says of another try; its pushback counts for more than its `RetryInfo`.
    fn advice(&self, status: Option<&Status>) -> RetryAdvice {
        if let Some(pushback) = &self.pushback {
            // gRFC A6: what is negative, or no number at all, asks for no further try.
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
            // As far as pushback goes: who asks for more asks for no further try.
            Some(delay) if delay.as_millis() > u128::from(u32::MAX) => RetryAdvice::Never,
            Some(delay) => RetryAdvice::After(delay),
        }
    }

    /// What says that the response is none of gRPC.
    fn not_grpc(&self) -> Option<CallError> {
        if let Some(status) = self.http_status.filter(|status| *status != 200) {
            return Some(CallError::HttpStatus(status));
        }
        (!is_grpc(&self.content_type)).then(|| CallError::NotGrpc {
            content_type: known_type(&self.content_type),
        })
    }
}

/// No more of a server's message than a person reads.
fn cut(message: &str) -> String {
    const LONGEST: usize = 500;
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// The name of a common content type; any other text there may be anything.
fn known_type(content_type: &str) -> &'static str {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    ["text/html", "text/plain", "application/json"]
        .into_iter()
        .find(|known| essence.eq_ignore_ascii_case(known))
        .unwrap_or("unknown")
}

/// The content types of gRPC over HTTP/2: `application/grpc`, with `+` a format or `;` parameters.
fn is_grpc(content_type: &str) -> bool {
    content_type
        .strip_prefix("application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

/// A stream or connection that ended early.
fn broken(error: Option<&(dyn Error + 'static)>) -> Option<CallError> {
    if let Some(error) = error.filter(|error| is_garbled(*error)) {
        return Some(CallError::ProtocolError(chain(error)));
    }
    if let Some(h2) = find::<h2::Error>(error) {
        return Some(match h2.reason() {
            Some(reason) if h2.is_reset() && h2.is_remote() => CallError::StreamReset(reason),
            Some(reason) if h2.is_go_away() && h2.is_remote() => CallError::GoAway(reason),
            _ => CallError::ConnectionLost(chain(h2)),
        });
    }
    find::<hyper::Error>(error).map(|error| {
        if error.is_canceled() || error.is_closed() {
            CallError::NotSent {
                causes: chain(error),
                has_goaway: false,
            }
        } else {
            CallError::ConnectionLost(chain(error))
        }
    })
}

/// Whether this side ended the connection because what it read is not HTTP/2, or not even TLS.
pub(super) fn is_garbled(error: &(dyn Error + 'static)) -> bool {
    let no_tls = |error: &io::Error| error.kind() == io::ErrorKind::InvalidData;
    let no_http2 = |error: &h2::Error| {
        error.is_library()
            && matches!(
                error.reason(),
                Some(
                    h2::Reason::PROTOCOL_ERROR
                        | h2::Reason::FRAME_SIZE_ERROR
                        | h2::Reason::FLOW_CONTROL_ERROR
                        | h2::Reason::COMPRESSION_ERROR
                )
            )
    };
    find(Some(error)).is_some_and(no_tls) || find(Some(error)).is_some_and(no_http2)
}

pub(super) fn find<'e, E: Error + 'static>(
    mut error: Option<&'e (dyn Error + 'static)>,
) -> Option<&'e E> {
    while let Some(here) = error {
        if let Some(found) = here.downcast_ref() {
            return Some(found);
        }
        error = here.source();
    }
    None
}

/// An error's words and those of its causes.
pub(super) fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut causes = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        causes.push(error.to_string());
        source = error.source();
    }
    causes
}

/// A connection as the library wants it, watched.
#[derive(Clone)]
pub(super) struct Transport {
    pub(super) sender: http2::SendRequest<Body>,
    pub(super) seen: Arc<Seen>,
    pub(super) user_agent: HeaderValue,
    pub(super) metadata: Arc<Metadata>,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl tower_service::Service<Request<Body>> for Transport {
    type Response = Response<Watched>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.sender.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, self.user_agent.clone());
        for (name, value) in self.metadata.headers() {
            headers.append(name, value.clone());
        }
        let answer = self.sender.send_request(request);
        let seen = Arc::clone(&self.seen);
        Box::pin(async move {
            let mut response = answer.await?;
            seen.update(|parts| {
                parts.http_status = Some(response.status().as_u16());
                // With the headers alone ("Trailers-Only") nobody asks for the body's end.
                parts.ended = response.body().is_end_stream();
                parts.content_type = response
                    .headers()
                    .get(header::CONTENT_TYPE)
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                    .unwrap_or_default();
            });
            seen.look(response.headers_mut());
            Ok(response.map(|body| Watched { body, seen }))
        })
    }
}

/// A response's body, whose trailers are looked at.
pub(super) struct Watched {
    body: Incoming,
    seen: Arc<Seen>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut poll = Pin::new(&mut self.body).poll_frame(cx);
        match &mut poll {
            Poll::Ready(None) => self.seen.update(|parts| parts.ended = true),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    self.seen.look(trailers);
                    self.seen.update(|parts| parts.ended = true);
                } else if let Some(data) = frame.data_ref() {
                    self.seen.update(|parts| parts.body.add(data));
                }
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
