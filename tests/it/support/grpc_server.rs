//! A gRPC server that gives the same response to every request, and stores the headers of the
//! requests.

use std::sync::{Arc, mpsc};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Code;

use super::{
    async_server::{ServerTask, serve_connections},
    fault_server::action::Response,
    program::{Run, push_to},
    records::ONE_RECORD,
};

/// The method that the program calls unless a different method is configured.
pub(crate) const METHOD: &str = "/Internal/UpdateSensorExpireTime";

/// A gRPC server without TLS.
pub(crate) struct GrpcServer {
    pub(crate) address: String,
    _task: ServerTask,
    requests: mpsc::Receiver<Parts>,
}

/// The behavior of a server toward requests.
#[derive(Clone, Debug)]
pub(crate) struct Behavior {
    pub(crate) response: Response,
    /// Whether the whole request is read before the response.
    pub(crate) reads_request: bool,
    /// Whether requests to methods other than [`METHOD`] are answered with UNIMPLEMENTED.
    pub(crate) has_one_method: bool,
    /// Returns the response to a request that the server refuses because of its headers.
    pub(crate) refuse: fn(&Parts) -> Option<Response>,
}

impl Behavior {
    /// Returns the behavior that reads each whole request, whatever its method, and gives this
    /// response.
    pub(crate) fn reading(response: Response) -> Self {
        Self {
            response,
            reads_request: true,
            has_one_method: false,
            refuse: |_| None,
        }
    }
}

impl GrpcServer {
    pub(crate) fn start(response: Response) -> Self {
        Self::with(Behavior::reading(response))
    }

    pub(crate) fn with(behavior: Behavior) -> Self {
        let (record, requests) = mpsc::channel();
        let behavior = Arc::new(behavior);
        let task = serve_connections(move |stream| {
            let (behavior, record) = (Arc::clone(&behavior), record.clone());
            async move {
                // A client may disconnect at any time, so connection errors are ignored.
                let _ = serve_http2(stream, behavior, record).await;
            }
        });
        Self {
            address: task.address.clone(),
            _task: task,
            requests,
        }
    }

    /// Pushes one record to this server, with short retry delays.
    pub(crate) fn push(&self, flags: &[&str]) -> Run {
        let common = ["--plaintext", "--output=json"];
        let delays = ["--retry-delay=1ms", "--retry-max-delay=5ms"];
        let flags = [&common[..], &delays, flags].concat();
        push_to(&self.address, &flags, ONE_RECORD)
    }

    /// Waits for the headers of the next request that was read.
    pub(crate) fn request(&self) -> Parts {
        self.requests.recv().expect("a request")
    }
}

/// Serves one HTTP/2 connection. Sends the headers of each request to `record` before the response.
pub(crate) async fn serve_http2<S>(
    stream: S,
    behavior: Arc<Behavior>,
    record: mpsc::Sender<Parts>,
) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(respond_to(
            request,
            respond,
            Arc::clone(&behavior),
            record.clone(),
        ));
    }
    Ok(())
}

/// Sends the response to one request.
pub(crate) async fn respond_to(
    request: http::Request<h2::RecvStream>,
    respond: SendResponse<Bytes>,
    behavior: Arc<Behavior>,
    record: mpsc::Sender<Parts>,
) -> Result<(), h2::Error> {
    let (head, body) = request.into_parts();
    if behavior.reads_request {
        read_body(body).await?;
    }
    if behavior.has_one_method && head.uri.path() != METHOD {
        return send_response(respond, &Response::status(Code::Unimplemented, ""));
    }
    if let Some(response) = (behavior.refuse)(&head) {
        return send_response(respond, &response);
    }
    // If the test has ended, sending fails, which does not matter.
    let _ = record.send(head);
    send_response(respond, &behavior.response)
}

/// Reads the body of a request to its end.
pub(crate) async fn read_body(mut body: h2::RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend(data);
    }
    Ok(bytes)
}

pub(crate) fn send_response(
    mut respond: SendResponse<Bytes>,
    response: &Response,
) -> Result<(), h2::Error> {
    let is_headers_only = response.body.is_none() && response.trailers.is_none();
    let mut stream = respond.send_response(http_response(response), is_headers_only)?;
    if let Some(body) = &response.body {
        let is_end = response.trailers.is_none();
        stream.send_data(Bytes::copy_from_slice(body), is_end)?;
    }
    if let Some(trailers) = &response.trailers {
        stream.send_trailers(header_map(trailers))?;
    }
    Ok(())
}

/// Returns the status and the headers of a response.
fn http_response(response: &Response) -> http::Response<()> {
    let mut http = http::Response::new(());
    *http.status_mut() = response.status.try_into().expect("a status");
    *http.headers_mut() = header_map(&response.headers);
    http
}

fn header_map(fields: &[(String, Vec<u8>)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_bytes(value).expect("a value"))
        })
        .collect()
}
