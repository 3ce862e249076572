//! The actions and the responses of a fault server. To *apply* a request means to count its records
//! as stored by the server.

use std::time::Duration;

use data_encoding::BASE64_NOPAD;
use prost::Message;
use tonic::Code;

/// The action of a server for one request.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Applies the records, and sends the response.
    Apply(Response),
    /// Sends the response, and applies nothing.
    Reject(Response),
    /// Takes the action after the delay.
    Delay(Duration, Box<Action>),
    /// Takes the action when this number of requests wait for it, for all of them at once.
    WhenOpen(usize, Box<Action>),
    /// Takes the action if a record has this token. Otherwise applies the records and responds with
    /// code 0.
    IfToken(&'static str, Box<Action>),
    /// Takes the action if the message has more bytes than this. Otherwise applies the records and
    /// responds with code 0.
    IfLargerThan(usize, Box<Action>),
    /// Reads the request, and does not answer it.
    NeverAnswer,
    /// Reads neither the request nor anything after it.
    NeverRead,
    /// Sends `RST_STREAM` when the whole request was read.
    ResetStream(h2::Reason),
    /// Sends headers, the first part of a message, and `RST_STREAM`.
    ResetInsideMessage(h2::Reason),
    /// Ends the connection when the headers were read.
    EndAtHeaders(Ending),
    /// Ends the connection when the whole request was read.
    EndAfterRequest { ending: Ending, is_applied: bool },
    /// Ends the connection inside a frame of the response.
    EndInsideFrame,
    /// Sends GOAWAY when the headers were read. Its last stream is lower than the stream of this
    /// request, so the client knows that this request is not processed.
    GoawayBefore(h2::Reason),
    /// Sends GOAWAY instead of the response, and ends the connection. Its last stream is this
    /// request, so the client does not know whether this request was processed.
    GoawayInstead(h2::Reason),
    /// Takes the action, and then sends GOAWAY.
    GoawayAfter(h2::Reason, Box<Action>),
    /// Sends a first GOAWAY, which lets all open requests finish, and then takes the action.
    GracefulGoaway(Box<Action>),
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The TLS alert `close_notify`, then FIN.
    CloseNotify,
    /// FIN without `close_notify`.
    Fin,
    /// RST.
    Rst,
    /// Bytes that are not TLS records.
    Garbage,
}

/// An HTTP/2 response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The number of empty DATA frames before the body.
    pub(crate) empty_frames: usize,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) trailers: Option<Vec<(String, Vec<u8>)>>,
}

fn field(name: &str, value: impl AsRef<[u8]>) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_ref().to_vec())
}

/// Returns a message with the gRPC prefix: the flag for "not compressed", and the length of the
/// message.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[0], &length[..], message].concat()
}

#[derive(Clone, PartialEq, Message)]
struct UpdateResponse {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<prost_types::Duration>,
}

impl Response {
    /// Returns an HTTP response without trailers.
    pub(crate) fn http(status: u16, content_type: &str, body: &[u8]) -> Self {
        Self {
            status,
            headers: vec![field("content-type", content_type)],
            empty_frames: 0,
            body: Some(body.to_vec()),
            trailers: None,
        }
    }

    /// Returns a gRPC response with this body and status OK.
    pub(crate) fn body(body: &[u8]) -> Self {
        Self::http(200, "application/grpc", body).with_trailers(&[("grpc-status", b"0")])
    }

    /// Returns a gRPC response whose message has this code.
    pub(crate) fn code(code: i32) -> Self {
        Self::body(&framed(&UpdateResponse { code }.encode_to_vec()))
    }

    /// Returns a response that has only headers, with a gRPC status.
    pub(crate) fn status(code: Code, message: &str) -> Self {
        let response = Self::headers_only().with_header("grpc-status", i32::from(code).to_string());
        if message.is_empty() {
            response
        } else {
            response.with_header("grpc-message", message)
        }
    }

    /// Returns a response that has only headers, without a gRPC status.
    pub(crate) fn headers_only() -> Self {
        Self {
            body: None,
            ..Self::http(200, "application/grpc", b"")
        }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn with_empty_frames(self, empty_frames: usize) -> Self {
        Self {
            empty_frames,
            ..self
        }
    }

    pub(crate) fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(field(name, value));
        self
    }

    pub(crate) fn with_content_type(mut self, value: &str) -> Self {
        self.headers = vec![field("content-type", value)];
        self
    }

    pub(crate) fn without_content_type(mut self) -> Self {
        self.headers.clear();
        self
    }

    pub(crate) fn with_trailers(mut self, trailers: &[(&str, &[u8])]) -> Self {
        let trailers = trailers.iter();
        self.trailers = Some(trailers.map(|(name, value)| field(name, value)).collect());
        self
    }

    pub(crate) fn without_trailers(self) -> Self {
        Self {
            trailers: None,
            ..self
        }
    }

    /// Returns whether the program must accept this response as code 0.
    pub(crate) fn has_code_0(&self) -> bool {
        let message = self.body.as_ref().and_then(|body| body.get(5..));
        let message = message.and_then(|message| UpdateResponse::decode(message).ok());
        self.trailers.is_some() && message.is_some_and(|message| message.code == 0)
    }

    /// Returns an HTTP status with `Retry-After`.
    pub(crate) fn retry_after(status: u16, value: &str) -> Self {
        Self::http(status, "text/html", b"<html>").with_header("retry-after", value)
    }

    /// Returns UNAVAILABLE with a retry delay in milliseconds in `grpc-retry-pushback-ms` (gRFC
    /// A6).
    pub(crate) fn pushback(milliseconds: &str) -> Self {
        Self::status(Code::Unavailable, "later").with_header("grpc-retry-pushback-ms", milliseconds)
    }

    /// Returns UNAVAILABLE with a retry delay in `google.rpc.RetryInfo`.
    pub(crate) fn retry_info(delay: Duration) -> Self {
        let delay = prost_types::Duration::try_from(delay).expect("short");
        Self::raw_retry_info(delay.seconds, delay.nanos)
    }

    /// Returns UNAVAILABLE with these numbers in `google.rpc.RetryInfo`, which may be no valid delay.
    pub(crate) fn raw_retry_info(seconds: i64, nanos: i32) -> Self {
        let delay = prost_types::Duration { seconds, nanos };
        let info = RetryInfo { delay: Some(delay) };
        let status = RpcStatus {
            code: Code::Unavailable.into(),
            message: "later".to_owned(),
            details: vec![prost_types::Any {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                value: info.encode_to_vec(),
            }],
        };
        let details = BASE64_NOPAD.encode(&status.encode_to_vec());
        Self::status(Code::Unavailable, "later").with_header("grpc-status-details-bin", details)
    }
}

/// Returns the action that applies the records and responds with this code.
pub(crate) fn code(code: i32) -> Action {
    Action::Apply(Response::code(code))
}

/// Returns the action that applies the records and responds with code 0.
pub(crate) fn ok() -> Action {
    code(0)
}

/// Returns the action that applies nothing and responds with a gRPC status.
pub(crate) fn status(code: Code, message: &str) -> Action {
    Action::Reject(Response::status(code, message))
}

/// Returns the action that applies nothing and responds with an HTTP status, as a proxy does.
pub(crate) fn http(status: u16) -> Action {
    Action::Reject(Response::http(status, "text/html", b"<html>"))
}

/// Returns the action that applies the records after a delay, and then responds with code 0.
pub(crate) fn ok_after(delay: Duration) -> Action {
    Action::Delay(delay, ok().into())
}

/// Returns the action that applies nothing, and ends the connection without `close_notify` when the
/// request was read.
pub(crate) fn disconnect() -> Action {
    Action::EndAfterRequest {
        ending: Ending::Fin,
        is_applied: false,
    }
}

/// Returns the action that applies the records, and ends the connection instead of responding.
pub(crate) fn apply_and_disconnect() -> Action {
    Action::EndAfterRequest {
        ending: Ending::Fin,
        is_applied: true,
    }
}

/// Returns the action `count` times, and then the action that applies the records and responds with
/// code 0.
pub(crate) fn times(count: usize, action: &Action) -> Vec<Action> {
    let mut actions = vec![action.clone(); count];
    actions.push(ok());
    actions
}
