//! From an address to HTTP/2, stage by stage, each with its own failure.

use std::{
    cell::Cell,
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use http::Uri;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::body::Body;

use super::{
    Target,
    call::chain,
    greeting::{Greeted, Greeting},
};
use crate::{
    endpoint::Endpoint,
    tls::{self, ClientTls},
};

/// A step on the way to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Dns,
    Tcp,
    Tls,
    Http2,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct ConnectError {
    pub(crate) endpoint: Endpoint,
    pub(crate) stage: Stage,
    pub(crate) cause: Cause,
}

/// What went wrong in a stage.
#[derive(Debug)]
pub(crate) enum Cause {
    TimedOut(Duration),
    /// A name that can't be looked up, or a connection that broke.
    Io(io::Error),
    /// A name without an address.
    NoAddress,
    /// No address of the name took a connection.
    Refused(Vec<(SocketAddr, io::Error)>),
    /// The TLS stack ended the handshake, or the server did with an alert.
    Tls(rustls::Error),
    /// The server agreed to another application protocol than HTTP/2, or to none.
    Alpn(Option<Vec<u8>>),
    /// The server's first bytes are no HTTP/2.
    NotHttp2(Vec<u8>),
    /// The server closed the connection.
    Closed,
    /// The server asked for a client certificate and hung up.
    ClientCertificate,
    /// The server hung up on plaintext, and speaks TLS when it is spoken to in TLS.
    WantsTls,
    Http2(Box<dyn Error + Send + Sync>),
}

/// How long one address is tried alone before the next joins in (RFC 8305 section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Windows and frames for requests of about a mebibyte; what a server sends is a few bytes.
const RECEIVE_WINDOW: u32 = 256 << 10;

/// A connection on which the server has said that it speaks HTTP/2.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) sender: http2::SendRequest<Body>,
    /// What moves its bytes.
    pub(super) driver: JoinHandle<()>,
    /// What ended it, when something has.
    pub(super) end: watch::Receiver<Option<Vec<String>>>,
}

/// The URI that requests are made for: scheme and `:authority`.
pub(super) fn origin(target: &Target) -> Uri {
    let scheme = match target.tls {
        Some(_) => http::uri::Scheme::HTTPS,
        None => http::uri::Scheme::HTTP,
    };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(target.authority.clone());
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    Uri::from_parts(parts).unwrap_or_default()
}

/// Connects, as far as the server's first HTTP/2 frame.
pub(super) async fn dial(target: &Target) -> Result<Connected, ConnectError> {
    let stage = Cell::new(Stage::Dns);
    let started = Instant::now();
    let limit = target.connect_timeout;
    let connected = tokio::time::timeout(limit, stages(target, &stage)).await;
    let cause = match connected.unwrap_or(Err(Cause::TimedOut(limit))) {
        Ok(connected) => return Ok(connected),
        Err(Cause::Closed | Cause::Io(_)) if asked_for_certificate(target) => {
            Cause::ClientCertificate
        }
        Err(cause @ (Cause::Closed | Cause::Io(_)))
            if target.tls.is_none() && stage.get() == Stage::Http2 =>
        {
            let left = limit.saturating_sub(started.elapsed());
            match tokio::time::timeout(left, speaks_tls(target)).await {
                Ok(true) => Cause::WantsTls,
                Ok(false) | Err(_) => cause,
            }
        }
        Err(cause) => cause,
    };
    Err(ConnectError {
        endpoint: target.endpoint.clone(),
        stage: stage.get(),
        cause,
    })
}

/// Whether the server answers in TLS. Many hang up on plaintext without a word.
async fn speaks_tls(target: &Target) -> bool {
    let Endpoint::Tcp { host, port } = &target.endpoint else {
        return false;
    };
    let name = tls::PeerName::new(host);
    let Ok(tls) = tls::client(tls::Trust::Unverified, None, name) else {
        return false;
    };
    let Ok(addresses) = look_up(host, *port).await else {
        return false;
    };
    let Ok(stream) = connect_any(addresses).await else {
        return false;
    };
    match handshake(&tls, stream).await {
        Ok(_) | Err(Cause::Alpn(_)) => true,
        // An alert is TLS too; what can't be read as TLS is not.
        Err(Cause::Tls(error)) => !matches!(error, rustls::Error::InvalidMessage(_)),
        Err(_) => false,
    }
}

/// The server's alert may be lost when it hangs up while this side still writes.
fn asked_for_certificate(target: &Target) -> bool {
    target
        .tls
        .as_ref()
        .is_some_and(ClientTls::client_certificate_was_asked_for)
}

async fn stages(target: &Target, stage: &Cell<Stage>) -> Result<Connected, Cause> {
    match &target.endpoint {
        Endpoint::Tcp { host, port } => {
            let addresses = look_up(host, *port).await?;
            stage.set(Stage::Tcp);
            let stream = connect_any(addresses).await?;
            // Requests are written whole; waiting to fill a segment would only delay their ends.
            stream.set_nodelay(true).map_err(Cause::Io)?;
            secure(target, stream, stage).await
        }
        Endpoint::Unix(path) => {
            stage.set(Stage::Tcp);
            secure(target, connect_unix(path).await?, stage).await
        }
    }
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, Cause> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(Cause::Io)?
        .collect();
    if addresses.is_empty() {
        return Err(Cause::NoAddress);
    }
    Ok(addresses)
}

/// Tries the addresses in their order; each next one as soon as the one before it failed, or has
/// not answered for a while.
async fn connect_any(addresses: Vec<SocketAddr>) -> Result<TcpStream, Cause> {
    let mut failures = Vec::new();
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        let last = waiting.len() == 0;
        let ended = tokio::select! {
            ended = attempts.join_next() => ended,
            () = tokio::time::sleep(NEXT_ADDRESS), if !last => continue,
        };
        match ended {
            Some(Ok((_, Ok(stream)))) => return Ok(stream),
            Some(Ok((address, Err(error)))) => failures.push((address, error)),
            Some(Err(error)) => return Err(Cause::Io(error.into())),
            None => return Err(Cause::Refused(failures)),
        }
    }
}

#[cfg(unix)]
async fn connect_unix(path: &Path) -> Result<UnixStream, Cause> {
    UnixStream::connect(path).await.map_err(Cause::Io)
}

async fn secure<S>(target: &Target, stream: S, stage: &Cell<Stage>) -> Result<Connected, Cause>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match &target.tls {
        None => http2(stream, stage).await,
        Some(tls) => {
            stage.set(Stage::Tls);
            let stream = handshake(tls, stream).await?;
            http2(stream, stage).await
        }
    }
}

async fn handshake<S>(tls: &ClientTls, stream: S) -> Result<TlsStream<S>, Cause>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connector = TlsConnector::from(std::sync::Arc::clone(&tls.config));
    let stream = connector
        .connect(tls.handshake_name.clone(), stream)
        .await
        .map_err(handshake_cause)?;
    let alpn = stream.get_ref().1.alpn_protocol();
    if !tls::is_http2(alpn) {
        return Err(Cause::Alpn(alpn.map(<[u8]>::to_vec)));
    }
    Ok(stream)
}

async fn http2<S>(stream: S, stage: &Cell<Stage>) -> Result<Connected, Cause>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    stage.set(Stage::Http2);
    let (stream, greeting) = Greeted::new(stream);
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(RECEIVE_WINDOW)
        .initial_connection_window_size(RECEIVE_WINDOW)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(hyper_cause)?;
    let (ended, end) = oneshot::channel();
    let (tell, told) = watch::channel(None);
    let driver = tokio::spawn(async move {
        let result = connection.await;
        let causes = result.as_ref().err().map(|error| chain(error));
        tell.send_replace(Some(causes.unwrap_or_default()));
        // Before the greeting somebody waits for this; later the calls are told.
        let _ = ended.send(result);
    });
    match greeting.await {
        Ok(Greeting::Settings) => Ok(Connected {
            sender,
            driver,
            end: told,
        }),
        Ok(Greeting::Other(first)) => Err(Cause::NotHttp2(first)),
        Err(_) => Err(match end.await {
            Ok(Err(error)) => hyper_cause(error),
            Ok(Ok(())) | Err(_) => Cause::Closed,
        }),
    }
}

fn hyper_cause(error: hyper::Error) -> Cause {
    let mut source = error.source();
    while let Some(inner) = source {
        let io = inner.downcast_ref::<io::Error>().or_else(|| {
            inner
                .downcast_ref::<h2::Error>()
                .and_then(h2::Error::get_io)
        });
        if let Some(io) = io {
            return match tls_error(io) {
                Some(error) => Cause::Tls(error.clone()),
                None if io.kind() == io::ErrorKind::UnexpectedEof => Cause::Closed,
                None => Cause::Io(io::Error::new(io.kind(), io.to_string())),
            };
        }
        source = inner.source();
    }
    Cause::Http2(error.into())
}

fn handshake_cause(error: io::Error) -> Cause {
    match tls_error(&error) {
        Some(error) => Cause::Tls(error.clone()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Cause::Closed,
        None => Cause::Io(error),
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
