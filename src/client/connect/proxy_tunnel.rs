//! Through an HTTP proxy (RFC 9110 section 9.3.6).

use http::{Method, Request, header};
use hyper::{client::conn::http1, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::oneshot};
use tonic::body::Body;

use super::stages::{ConnectErrorKind, hyper_cause};
use crate::{endpoint::Endpoint, proxy::Proxy};

/// Asks the proxy for a connection to the server, whose name the proxy looks up.
pub(super) async fn tunnel(
    stream: TcpStream,
    proxy: &Proxy,
    server: &Endpoint,
    user_agent: &http::HeaderValue,
) -> Result<TokioIo<Upgraded>, ConnectErrorKind> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(proxy_cause)?;
    let (ended, end) = oneshot::channel();
    tokio::spawn(async move {
        // Later nobody waits for this: what ends the tunnel is told to whoever uses it.
        let _ = ended.send(connection.with_upgrades().await);
    });
    let authority = server.authority();
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(&authority)
        .header(header::HOST, &authority)
        .header(header::USER_AGENT, user_agent);
    if let Some(credentials) = &proxy.authorization {
        request = request.header(header::PROXY_AUTHORIZATION, credentials);
    }
    let request = request
        .body(Body::empty())
        .map_err(|error| ConnectErrorKind::Http2(error.into()))?;
    let response = match sender.send_request(request).await {
        Ok(response) => response,
        // What a proxy said before it was asked ends the connection, and the request with it.
        Err(error) if error.is_canceled() => {
            return Err(match end.await {
                Ok(Err(error)) => proxy_cause(error),
                Ok(Ok(())) | Err(_) => ConnectErrorKind::Closed,
            });
        }
        Err(error) => return Err(proxy_cause(error)),
    };
    if !response.status().is_success() {
        return Err(ConnectErrorKind::ProxyRefused(response.status()));
    }
    hyper::upgrade::on(response)
        .await
        .map(TokioIo::new)
        .map_err(proxy_cause)
}

fn proxy_cause(error: hyper::Error) -> ConnectErrorKind {
    if error.is_incomplete_message() {
        return ConnectErrorKind::Closed;
    }
    match hyper_cause(error) {
        ConnectErrorKind::Http2(_) => ConnectErrorKind::ProxyNotHttp,
        other => other,
    }
}
