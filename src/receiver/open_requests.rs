//! [`OpenRequests`]: counts the open requests of a service. A request is open from the arrival of
//! its headers until its response is ready.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tokio::sync::watch;
use tonic::{body::Body, codegen::Service, server::NamedService};

/// The number of open requests.
#[derive(Clone, Debug)]
pub(super) struct OpenRequests(Arc<watch::Sender<usize>>);

/// A service whose open requests are counted.
#[derive(Clone, Debug)]
pub(super) struct CountedService<S> {
    service: S,
    open_requests: OpenRequests,
}

/// Counts one request as open until the guard is dropped.
struct OpenRequestGuard(OpenRequests);

impl OpenRequests {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Wraps a service, so that its open requests are counted.
    pub(super) fn count<S>(&self, service: S) -> CountedService<S> {
        CountedService {
            service,
            open_requests: self.clone(),
        }
    }

    /// Waits until there has been no open request for a period of `duration`.
    pub(super) async fn wait_until_idle_for(&self, duration: Duration) {
        let mut count = self.0.subscribe();
        loop {
            // `wait_for` cannot fail, because `self` keeps the sender alive.
            let _ = count.wait_for(|open| *open == 0).await;
            let change = tokio::time::timeout(duration, count.changed());
            if change.await.is_err() {
                return;
            }
        }
    }
}

impl OpenRequestGuard {
    fn new(open_requests: &OpenRequests) -> Self {
        open_requests.0.send_modify(|count| *count += 1);
        Self(open_requests.clone())
    }
}

impl Drop for OpenRequestGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

impl<S> Service<Request<Body>> for CountedService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let guard = OpenRequestGuard::new(&self.open_requests);
        let response = self.service.call(request);
        Box::pin(async move {
            let response = response.await;
            drop(guard);
            response
        })
    }
}

impl<S: NamedService> NamedService for CountedService<S> {
    const NAME: &'static str = S::NAME;
}
