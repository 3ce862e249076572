//! The tunnel through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6).

use std::io;

use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::{client::conn::http1, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::oneshot};
use tonic::body::Body;

use super::error::ConnectErrorKind;
use crate::{endpoint::Endpoint, proxy::Proxy};

/// Asks the proxy for a tunnel to the server. The proxy does the DNS lookup for the server.
pub(super) async fn open_tunnel(
    stream: TcpStream,
    proxy: &Proxy,
    server: &Endpoint,
    user_agent: &HeaderValue,
) -> Result<TokioIo<Upgraded>, ConnectErrorKind> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| proxy_error(&error))?;
    let (result_sender, result_receiver) = oneshot::channel();
    tokio::spawn(async move {
        // `open_tunnel` needs the result only while it waits for the proxy's response. Afterwards,
        // the receiver is gone and sending the result fails, but the stream itself reports the end
        // of the tunnel.
        let _ = result_sender.send(connection.with_upgrades().await);
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
        .map_err(|error| ConnectErrorKind::Io(io::Error::other(error)))?;
    let response = match sender.send_request(request).await {
        Ok(response) => response,
        // If the proxy sends bytes before it receives CONNECT, hyper ends the connection and
        // cancels the CONNECT request. The error of the connection contains the reason.
        Err(error) if error.is_canceled() => {
            return Err(match result_receiver.await {
                Ok(Err(error)) => proxy_error(&error),
                Ok(Ok(())) | Err(_) => ConnectErrorKind::ProxyClosed,
            });
        }
        Err(error) => return Err(proxy_error(&error)),
    };
    let status = response.status();
    if !status.is_success() {
        return Err(ConnectErrorKind::ProxyRefused(status));
    }
    match hyper::upgrade::on(response).await {
        Ok(stream) => Ok(TokioIo::new(stream)),
        Err(error) if status == StatusCode::OK => Err(proxy_error(&error)),
        // hyper opens no tunnel after 204.
        Err(_) => Err(ConnectErrorKind::ProxyRefused(status)),
    }
}

fn proxy_error(error: &hyper::Error) -> ConnectErrorKind {
    if error.is_incomplete_message() {
        return ConnectErrorKind::ProxyClosed;
    }
    match ConnectErrorKind::from_hyper(error) {
        ConnectErrorKind::Closed => ConnectErrorKind::ProxyClosed,
        ConnectErrorKind::Http2(_) => ConnectErrorKind::ProxyNotHttp,
        other => other,
    }
}
