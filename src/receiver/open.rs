//! Counts the requests that are open, from their headers to their responses.

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
use tonic::{body::Body, server::NamedService};
use tower_service::Service;

/// How many requests are open.
#[derive(Clone, Debug)]
pub(super) struct Open(Arc<watch::Sender<usize>>);

/// A service whose open requests are counted.
#[derive(Clone, Debug)]
pub(super) struct Counted<S> {
    service: S,
    open: Open,
}

/// One open request.
struct Entry(Open);

impl Open {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(super) fn count<S>(&self, service: S) -> Counted<S> {
        Counted {
            service,
            open: self.clone(),
        }
    }

    /// Waits until no request has been open for this long.
    pub(super) async fn quiet_for(&self, duration: Duration) {
        let mut count = self.0.subscribe();
        loop {
            // The sender is this value's own, so that it can't be gone.
            let _ = count.wait_for(|open| *open == 0).await;
            let change = tokio::time::timeout(duration, count.changed());
            if change.await.is_err() {
                return;
            }
        }
    }
}

impl Entry {
    fn new(open: &Open) -> Self {
        open.0.send_modify(|count| *count += 1);
        Self(open.clone())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

impl<S> Service<Request<Body>> for Counted<S>
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
        let entry = Entry::new(&self.open);
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(entry);
            answer
        })
    }
}

impl<S: NamedService> NamedService for Counted<S> {
    const NAME: &'static str = S::NAME;
}
