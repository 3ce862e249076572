//! The HTTP request of a gRPC call (gRPC doc/PROTOCOL-HTTP2.md, "Requests").

use std::{
    convert::Infallible,
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, buf::Chain};
use flate2::{Compression, bufread::GzEncoder};
use http::{HeaderValue, Method, Request, header, uri::PathAndQuery};
use hyper::body::{Body, Frame};

use super::target::Target;

#[derive(Debug)]
pub(super) enum RequestBody {
    /// The prefix and the content of one message, or `None` after they were sent.
    Message(Option<Chain<Bytes, Bytes>>),
    /// A body whose message never comes.
    Pending,
}

impl RequestBody {
    pub(super) fn new(message: Bytes, is_compressed: bool) -> Self {
        let compressed = is_compressed.then(|| compress(&message).ok()).flatten();
        let mut prefix = vec![u8::from(compressed.is_some())];
        let message = compressed.unwrap_or(message);
        // The size of a batch is limited to 32 bits when the options are parsed.
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        prefix.extend(length.to_be_bytes());
        Self::Message(Some(Bytes::from(prefix).chain(message)))
    }
}

impl Body for RequestBody {
    type Data = Chain<Bytes, Bytes>;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        match self.get_mut() {
            Self::Message(message) => Poll::Ready(message.take().map(Frame::data).map(Ok)),
            Self::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Message(None))
    }
}

pub(super) fn new_request(
    target: &Target,
    path: PathAndQuery,
    body: RequestBody,
) -> Request<RequestBody> {
    let mut timeout = tonic::Request::new(());
    timeout.set_timeout(target.timeout);
    let mut headers = timeout.into_parts().0.into_headers();
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    let content_type = HeaderValue::from_static("application/grpc");
    headers.insert(header::CONTENT_TYPE, content_type);
    if target.sends_gzip {
        headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
    }
    headers.insert(header::USER_AGENT, target.user_agent.clone());
    for (name, value) in target.metadata.headers() {
        headers.append(name, value.clone());
    }
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.uri(path);
    *request.headers_mut() = headers;
    request
}

fn compress(message: &[u8]) -> io::Result<Bytes> {
    let mut compressed = Vec::new();
    GzEncoder::new(message, Compression::default()).read_to_end(&mut compressed)?;
    Ok(compressed.into())
}
