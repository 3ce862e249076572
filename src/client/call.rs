//! How a call ended, told by what the server sent and not by the status that the library made up.

use std::{
    error::Error,
    future::Future,
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

use crate::wire::Malformed;

/// Why a call brought no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The deadline passed here.
    TimedOut(Duration),
    /// The server's own status.
    Status { code: Code, message: String },
    /// An HTTP status other than 200, and no gRPC status with it.
    Http(u16),
    /// HTTP 200 with another content type than gRPC's.
    NotGrpc { content_type: String },
    /// A message that can't be decoded, or is cut off.
    Malformed(String),
    /// OK without a message.
    NoMessage,
    /// No `grpc-status`.
    NoStatus,
    /// A `grpc-status` that is none.
    UnknownStatus(String),
    /// The server reset the stream.
    Reset(h2::Reason),
    /// The server or the network ended the connection.
    Lost(Vec<String>),
}

/// What a server sent in one call.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Parts>);

#[derive(Clone, Debug, Default)]
struct Parts {
    http_status: Option<u16>,
    content_type: String,
    grpc_status: Option<HeaderValue>,
}

const GRPC_STATUS: &str = "grpc-status";
const GRPC_DETAILS: &str = "grpc-status-details-bin";

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
        if let Some(status) = headers.get(GRPC_STATUS) {
            let status = status.clone();
            self.update(|parts| parts.grpc_status = Some(status));
        }
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

    /// A response that the library takes for a success.
    pub(super) fn success(&self, code: i32) -> Result<i32, CallError> {
        match self.status() {
            Ok(Some(Code::Ok)) => Ok(code),
            Ok(Some(code)) => Err(CallError::Status {
                code,
                message: String::new(),
            }),
            Ok(None) => Err(CallError::NoStatus),
            Err(error) => Err(error),
        }
    }

    /// A call that the library takes for a failure.
    pub(super) fn failure(&self, status: &Status) -> CallError {
        let parts = self.parts();
        match self.status() {
            Ok(Some(Code::Ok) | None) => {}
            Ok(Some(code)) => {
                return CallError::Status {
                    code,
                    message: status.message().to_owned(),
                };
            }
            Err(error) => return error,
        }
        if let Some(error) = broken(status.source()) {
            return error;
        }
        if let Some(http_status) = parts.http_status.filter(|status| *status != 200) {
            return CallError::Http(http_status);
        }
        if parts.http_status.is_some() && !is_grpc(&parts.content_type) {
            return CallError::NotGrpc {
                content_type: parts.content_type,
            };
        }
        if let Some(malformed) = find::<Malformed>(status.source()) {
            return CallError::Malformed(malformed.0.clone());
        }
        match (parts.http_status, &parts.grpc_status) {
            (None, _) => CallError::Lost(chain(status)),
            (Some(_), None) => CallError::NoStatus,
            (Some(_), Some(_)) if status.message().contains("Missing response message") => {
                CallError::NoMessage
            }
            (Some(_), Some(_)) => CallError::Malformed(status.message().to_owned()),
        }
    }

    /// A connection that was gone before the call began.
    pub(super) fn lost(error: &(dyn Error + 'static)) -> CallError {
        broken(Some(error)).unwrap_or_else(|| CallError::Lost(chain(error)))
    }

    fn status(&self) -> Result<Option<Code>, CallError> {
        let Some(value) = self.parts().grpc_status else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(value.as_bytes());
        // The library takes whatever it does not know for UNKNOWN.
        match text.parse::<u8>() {
            Ok(number @ 0..=16) if number.to_string() == text => {
                Ok(Some(Code::from_i32(i32::from(number))))
            }
            _ => Err(CallError::UnknownStatus(text.into_owned())),
        }
    }
}

/// The content types of gRPC over HTTP/2: `application/grpc`, with `+` a format or `;` parameters.
fn is_grpc(content_type: &str) -> bool {
    content_type
        .strip_prefix("application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

/// A stream or connection that ended early.
fn broken(error: Option<&(dyn Error + 'static)>) -> Option<CallError> {
    if let Some(h2) = find::<h2::Error>(error) {
        return Some(match h2.reason() {
            Some(reason) if h2.is_reset() && h2.is_remote() => CallError::Reset(reason),
            _ => CallError::Lost(chain(h2)),
        });
    }
    find::<hyper::Error>(error).map(|error| CallError::Lost(chain(error)))
}

fn find<'e, E: Error + 'static>(mut error: Option<&'e (dyn Error + 'static)>) -> Option<&'e E> {
    while let Some(here) = error {
        if let Some(found) = here.downcast_ref() {
            return Some(found);
        }
        error = here.source();
    }
    None
}

fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
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
        request
            .headers_mut()
            .insert(header::USER_AGENT, self.user_agent.clone());
        let answer = self.sender.send_request(request);
        let seen = Arc::clone(&self.seen);
        Box::pin(async move {
            let mut response = answer.await?;
            seen.update(|parts| {
                parts.http_status = Some(response.status().as_u16());
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
        if let Poll::Ready(Some(Ok(frame))) = &mut poll
            && let Some(trailers) = frame.trailers_mut()
        {
            self.seen.look(trailers);
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
