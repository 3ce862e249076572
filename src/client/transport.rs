//! [`Transport`]: the HTTP service that tonic makes calls with, on an HTTP/2 connection.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, header};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    client::conn::http2,
};
use tonic::{body::Body, codegen::Service};

use super::{response::ResponseObserver, target::Target};

type BoxError = Box<dyn Error + Send + Sync>;

/// The HTTP service for one call. The service adds the user agent and the metadata to the request,
/// and reports the response to `observer`.
#[derive(Clone)]
pub(super) struct Transport {
    pub(super) sender: http2::SendRequest<Body>,
    pub(super) observer: Arc<ResponseObserver>,
    pub(super) target: Arc<Target>,
}

impl Service<Request<Body>> for Transport {
    type Response = Response<ObservedBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.sender.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, self.target.user_agent.clone());
        for (name, value) in self.target.metadata.headers() {
            headers.append(name, value.clone());
        }
        let response = self.sender.send_request(request);
        let observer = Arc::clone(&self.observer);
        Box::pin(async move {
            let mut response = response.await?;
            observer.observe_head(&mut response);
            Ok(response.map(|body| ObservedBody { body, observer }))
        })
    }
}

/// A response body that reports its data, its trailers and its end to `observer`.
pub(super) struct ObservedBody {
    body: Incoming,
    observer: Arc<ResponseObserver>,
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut poll = Pin::new(&mut self.body).poll_frame(cx);
        match &mut poll {
            Poll::Ready(None) => self.observer.observe_end(),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    self.observer.observe_trailers(trailers);
                } else if let Some(data) = frame.data_ref() {
                    self.observer.observe_data(data);
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
