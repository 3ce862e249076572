//! What a request is answered with.

use std::time::Duration;

use data_encoding::BASE64_NOPAD;
use prost::Message;
use tonic::Code;

/// What becomes of one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Applied, and answered.
    Reply(Reply),
    /// A reply that says no: nothing is applied.
    Refuse(Reply),
    /// The answer, later.
    After(Duration, Box<Answer>),
    /// This answer if a record has this token, else code 0.
    IfToken(&'static str, Box<Answer>),
    /// This answer if the message has more bytes, else code 0.
    IfLarger(usize, Box<Answer>),
    /// Read and left alone.
    Never,
    /// Neither the request nor anything behind it is read.
    NeverRead,
    /// `RST_STREAM`, when the request has come whole.
    Reset(h2::Reason),
    /// The connection ends when the request's head has come.
    EndAtHead(How),
    /// The connection ends when the request has come whole, and is applied or not.
    EndWhenRead { how: How, applied: bool },
    /// A frame that says that it is longer than what comes before the connection ends.
    TruncatedFrame,
    /// GOAWAY, which leaves this request out, when its head has come.
    GoawayBefore(h2::Reason),
    /// The answer, and GOAWAY behind it.
    GoawayBehind(Box<Answer>),
    /// A first GOAWAY, which lets all open requests finish, and then the answer.
    Graceful(Box<Answer>),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// With TLS's own farewell.
    Close,
    /// The end of the stream without it.
    Cut,
    /// TCP's reset.
    Reset,
    /// Bytes that are no TLS.
    Garbage,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) head: Vec<(String, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) trailers: Option<Vec<(String, Vec<u8>)>>,
}

fn field(name: &str, value: impl AsRef<[u8]>) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_ref().to_vec())
}

/// A message in gRPC's frame.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[0], &length[..], message].concat()
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
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

impl Reply {
    /// An HTTP response with this body.
    pub(crate) fn http(status: u16, content_type: &str, body: &[u8]) -> Self {
        Self {
            head: vec![
                field(":status", status.to_string()),
                field("content-type", content_type),
            ],
            body: Some(body.to_vec()),
            trailers: None,
        }
    }

    /// A gRPC response with this body, status OK.
    pub(crate) fn body(body: &[u8]) -> Self {
        Self::http(200, "application/grpc", body).trailers(&[("grpc-status", b"0")])
    }

    pub(crate) fn code(code: i32) -> Self {
        Self::body(&framed(&Response { code }.encode_to_vec()))
    }

    /// The head alone, with a gRPC status.
    pub(crate) fn status(code: Code, message: &str) -> Self {
        let mut reply = Self::http(200, "application/grpc", b"");
        reply.body = None;
        let reply = reply.field("grpc-status", i32::from(code).to_string());
        if message.is_empty() {
            reply
        } else {
            reply.field("grpc-message", message)
        }
    }

    /// One more field of the head.
    pub(crate) fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.push(field(name, value));
        self
    }

    pub(crate) fn trailers(mut self, trailers: &[(&str, &[u8])]) -> Self {
        let trailers = trailers.iter();
        self.trailers = Some(trailers.map(|(name, value)| field(name, value)).collect());
        self
    }

    /// UNAVAILABLE with the server's word on when to come again.
    pub(crate) fn pushback(milliseconds: &str) -> Self {
        Self::status(Code::Unavailable, "later").field("grpc-retry-pushback-ms", milliseconds)
    }

    /// The same in `google.rpc.RetryInfo`.
    pub(crate) fn retry_info(delay: Duration) -> Self {
        let delay = prost_types::Duration::try_from(delay).expect("short");
        let info = RetryInfo { delay: Some(delay) };
        let status = Status {
            code: Code::Unavailable.into(),
            message: "later".to_owned(),
            details: vec![prost_types::Any {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                value: info.encode_to_vec(),
            }],
        };
        let details = BASE64_NOPAD.encode(&status.encode_to_vec());
        Self::status(Code::Unavailable, "later").field("grpc-status-details-bin", details)
    }
}

/// Applied, and answered with this code.
pub(crate) fn code(code: i32) -> Answer {
    Answer::Reply(Reply::code(code))
}

/// Applied, and answered with code 0.
pub(crate) fn ok() -> Answer {
    code(0)
}

pub(crate) fn status(code: Code, message: &str) -> Answer {
    Answer::Refuse(Reply::status(code, message))
}

pub(crate) fn http(status: u16) -> Answer {
    Answer::Refuse(Reply::http(status, "text/html", b"<html>"))
}

/// This answer so many times, and then code 0.
pub(crate) fn times(count: usize, answer: &Answer) -> Vec<Answer> {
    let mut answers = vec![answer.clone(); count];
    answers.push(ok());
    answers
}
