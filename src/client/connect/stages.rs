//! The stages of a connection in order: DNS, TCP, proxy, TLS and HTTP/2.

use std::{cell::Cell, net::SocketAddr, time::Instant};

use tokio::{io::BufWriter, net::UnixStream};

use super::{
    byte_stream::ByteStream,
    dns_and_tcp::{connect_any, resolve},
    error::{ConnectError, ConnectErrorKind},
    http2::{self, Http2Connection},
    proxy_tunnel::open_tunnel,
    stage_outcome::{Stage, StageSuccess, TlsSession},
    tls_handshake,
};
use crate::{
    client::target::Target,
    endpoint::Endpoint,
    tls::{self, ClientTls, HandshakeError},
};

/// The address that was used last. The next attempt starts with the address after it, because an
/// address that accepts connections may never answer.
pub(crate) type LastAddress = Cell<Option<SocketAddr>>;

struct Progress<'p> {
    last_address: &'p LastAddress,
    stage: Cell<Stage>,
    on_stage: &'p dyn Fn(StageSuccess),
}

/// Connects to a server, waits for the server's HTTP/2 SETTINGS, and reports the outcome of each
/// completed stage to `on_stage`. Starts with the address after `last_address`, and updates it.
pub(in crate::client) async fn connect(
    target: &Target,
    last_address: &LastAddress,
    on_stage: &dyn Fn(StageSuccess),
) -> Result<Http2Connection, ConnectError> {
    let previous_address = last_address.clone();
    let progress = Progress {
        last_address,
        stage: Cell::new(Stage::Dns),
        on_stage,
    };
    let tls = target.tls.as_ref();
    if let Some(tls) = tls {
        tls.clear_certificate_request();
    }
    let started = Instant::now();
    let timeout = target.connect_timeout;
    let connected = tokio::time::timeout(timeout, run_stages(target, &progress)).await;
    let kind = match connected.unwrap_or(Err(ConnectErrorKind::TimedOut(timeout))) {
        Ok(connection) => return Ok(connection),
        Err(
            kind @ (ConnectErrorKind::Closed
            | ConnectErrorKind::Io(_)
            | ConnectErrorKind::Http1 { .. }
            | ConnectErrorKind::NotHttp2),
        ) if tls.is_none() && progress.stage.get() == Stage::Http2 => {
            let remaining = timeout.saturating_sub(started.elapsed());
            match tokio::time::timeout(remaining, is_tls_server(target, &previous_address)).await {
                Ok(true) => ConnectErrorKind::ServerExpectsTls,
                Ok(false) | Err(_) => kind,
            }
        }
        // A server that refuses the client certificate sends an alert and closes the connection. The
        // alert is lost if this program is still writing, so the request may be the only sign.
        Err(kind) => match tls.and_then(ClientTls::certificate_answer) {
            Some(answer) => kind.after_certificate_request(answer),
            None => kind,
        },
    };
    Err(ConnectError {
        endpoint: target.endpoint.clone(),
        proxy: target.proxy.clone(),
        stage: progress.stage.get(),
        kind,
        has_client_certificate: tls.is_some_and(ClientTls::has_client_certificate),
    })
}

/// Returns whether the server answers a TLS handshake on a new connection. Many TLS servers close a
/// plaintext connection without an answer, or answer with HTTP/1, so only a TLS handshake shows that
/// the server expects TLS.
async fn is_tls_server(target: &Target, last_address: &LastAddress) -> bool {
    let name = tls::PeerName::new(target.endpoint.host());
    let tls = ClientTls::new(tls::TrustPolicy::Unverified, None, name);
    let progress = Progress {
        last_address,
        stage: Cell::new(Stage::Dns),
        on_stage: &|_| {},
    };
    let Ok(stream) = open_stream(target, &progress).await else {
        return false;
    };
    match tls_handshake::handshake(&tls, stream).await {
        Err(ConnectErrorKind::Tls(HandshakeError::NotTls(_))) => false,
        // Any other TLS error, such as an alert, proves that the server speaks TLS.
        Ok(_) | Err(ConnectErrorKind::Tls(_)) => true,
        Err(_) => false,
    }
}

async fn run_stages(
    target: &Target,
    progress: &Progress<'_>,
) -> Result<Http2Connection, ConnectErrorKind> {
    let stream = open_stream(target, progress).await?;
    let stream: ByteStream = match &target.tls {
        None => Box::new(BufWriter::new(stream)),
        Some(tls) => {
            progress.stage.set(Stage::Tls);
            let stream = tls_handshake::handshake(tls, stream).await?;
            let session = TlsSession::from_connection(stream.get_ref().1);
            (progress.on_stage)(StageSuccess::TlsEstablished(session));
            Box::new(stream)
        }
    };
    progress.stage.set(Stage::Http2);
    let connection = http2::handshake(stream, target.keepalive_interval).await?;
    (progress.on_stage)(StageSuccess::SettingsReceived);
    Ok(connection)
}

async fn open_stream(
    target: &Target,
    progress: &Progress<'_>,
) -> Result<ByteStream, ConnectErrorKind> {
    let address = match (&target.endpoint, &target.proxy) {
        (Endpoint::Unix(path), _) => {
            progress.stage.set(Stage::Tcp);
            let stream = UnixStream::connect(path)
                .await
                .map_err(ConnectErrorKind::Io)?;
            (progress.on_stage)(StageSuccess::UnixConnected);
            return Ok(Box::new(stream));
        }
        (_, Some(proxy)) => &proxy.address,
        (Endpoint::Tcp(address), None) => address,
    };
    let mut addresses = resolve(&address.host, address.port).await?;
    let last = progress.last_address.get();
    if let Some(last) = addresses.iter().position(|address| Some(*address) == last) {
        addresses.rotate_left(last + 1);
    }
    progress.last_address.set(addresses.first().copied());
    (progress.on_stage)(StageSuccess::Resolved(addresses.clone()));
    progress.stage.set(Stage::Tcp);
    let connection = connect_any(addresses).await?;
    progress.last_address.set(Some(connection.address));
    (progress.on_stage)(StageSuccess::TcpConnected {
        address: connection.address,
        failures: connection.failures,
    });
    let Some(proxy) = &target.proxy else {
        return Ok(Box::new(connection.stream));
    };
    progress.stage.set(Stage::Proxy);
    let stream = open_tunnel(
        connection.stream,
        proxy,
        &target.endpoint,
        &target.user_agent,
    )
    .await?;
    (progress.on_stage)(StageSuccess::ProxyConnected);
    Ok(Box::new(stream))
}
