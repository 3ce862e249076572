//! From an address to HTTP/2, stage by stage, each with its own failure.

use std::{
    cell::Cell,
    error::Error,
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use http::{StatusCode, Uri};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::UnixStream,
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::body::Body;

use super::{
    corked_stream::Held,
    dns_and_tcp::{connect_any, look_up},
    proxy_tunnel::tunnel,
    server_preface::{Greeted, Greeting},
};
use crate::{
    client::{
        Target,
        response::{chain, find, is_garbled},
    },
    endpoint::Endpoint,
    proxy::Proxy,
    tls::{self, ClientTls},
};

/// A step on the way to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Dns,
    Tcp,
    Proxy,
    Tls,
    Http2,
}

/// What a stage came to, for whoever looks on.
#[derive(Debug)]
pub(crate) enum StageOutcome {
    /// The name's addresses; the proxy's name where there is one.
    Resolved(Vec<SocketAddr>),
    /// The address that took the connection, and those that did not.
    TcpConnected {
        address: SocketAddr,
        failures: Vec<AddressFailure>,
    },
    /// The Unix domain socket took the connection.
    UnixConnected,
    /// The proxy leads to the server.
    ProxyConnected,
    TlsEstablished(TlsSession),
    /// The server has said that it speaks HTTP/2.
    SettingsReceived,
}

/// An address of the server that did not take the connection.
#[derive(Debug)]
pub(crate) struct AddressFailure {
    pub(crate) address: SocketAddr,
    pub(crate) error: io::Error,
}

/// What a TLS handshake agreed on, in the names that IANA has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsSession {
    pub(crate) version: String,
    pub(crate) cipher_suite: String,
    pub(crate) key_exchange: String,
}

/// How far a dial has come.
struct Progress<'p> {
    stage: Cell<Stage>,
    watch: &'p dyn Fn(StageOutcome),
}

impl Progress<'_> {
    /// Ends a stage and begins the next.
    fn found(&self, finding: StageOutcome, next: Stage) {
        (self.watch)(finding);
        self.stage.set(next);
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct ConnectError {
    pub(crate) endpoint: Endpoint,
    /// The proxy that was to lead there.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) stage: Stage,
    pub(crate) kind: ConnectErrorKind,
}

/// What went wrong in a stage.
#[derive(Debug)]
pub(crate) enum ConnectErrorKind {
    TimedOut(Duration),
    /// A name that can't be looked up, or a connection that broke.
    Io(io::Error),
    /// A name without an address.
    NoAddress,
    /// No address of the name took a connection.
    AllAddressesFailed(Vec<AddressFailure>),
    /// The TLS stack ended the handshake, or the server did with an alert.
    Tls(rustls::Error),
    /// The server agreed to another application protocol than HTTP/2, or to none.
    AlpnNotHttp2(Option<Vec<u8>>),
    /// The server's first bytes are no HTTP/2.
    NotHttp2(Vec<u8>),
    /// What the server sent in TLS is none, or its first frames are none of HTTP/2.
    ProtocolError(String),
    /// The server announced the connection's end before it began (GOAWAY).
    GoAway(h2::Reason),
    /// The proxy's answer, which is no success.
    ProxyRefused(StatusCode),
    /// The proxy answers in something else than HTTP.
    ProxyNotHttp,
    /// The server closed the connection.
    Closed,
    /// The server asked for a client certificate and hung up.
    ClientCertificateRequested,
    /// The server hung up on plaintext, and speaks TLS when it is spoken to in TLS.
    ServerExpectsTls,
    Http2(Box<dyn Error + Send + Sync>),
}

/// Windows and frames for requests of about a mebibyte; what a server sends is a few bytes.
const RECEIVE_WINDOW: u32 = 256 << 10;

/// Some servers put all that went wrong into `grpc-message`.
const LARGEST_HEADERS: u32 = 2 << 20;

/// How long a PING may stay unanswered before the connection counts as lost, as gRPC has it
/// (doc/keepalive.md, `GRPC_ARG_KEEPALIVE_TIMEOUT_MS`).
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(20);

/// A connection on which the server has said that it speaks HTTP/2.
#[derive(Debug)]
pub(in crate::client) struct Connected {
    pub(in crate::client) sender: http2::SendRequest<Body>,
    /// What moves its bytes.
    pub(in crate::client) driver: JoinHandle<()>,
    /// How many requests may be open at a time.
    pub(in crate::client) max_streams: Option<u32>,
    pub(in crate::client) fate: Fate,
}

/// What becomes of a connection.
#[derive(Clone, Debug)]
pub(in crate::client) struct Fate {
    /// What ended it, when something has.
    pub(in crate::client) end: watch::Receiver<Option<Ended>>,
    /// Whether the server announced its end.
    pub(in crate::client) is_leaving: Arc<AtomicBool>,
}

/// What ended a connection.
#[derive(Clone, Debug, Default)]
pub(in crate::client) struct Ended {
    pub(in crate::client) causes: Vec<String>,
    /// Whether what the server sent was not HTTP/2.
    pub(in crate::client) garbled: bool,
    /// The reason that the server gave.
    pub(in crate::client) reason: Option<h2::Reason>,
}

impl Ended {
    fn by(error: &hyper::Error) -> Self {
        let h2 = find::<h2::Error>(Some(error));
        Self {
            causes: chain(error),
            garbled: is_garbled(error),
            reason: h2.filter(|h2| h2.is_remote()).and_then(h2::Error::reason),
        }
    }
}

/// The URI that requests are made for: scheme and `:authority`.
pub(in crate::client) fn origin(target: &Target) -> Uri {
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

/// Connects, as far as the server's first HTTP/2 frame. Each stage's finding is handed to `watch`.
pub(in crate::client) async fn connect(
    target: &Target,
    watch: &dyn Fn(StageOutcome),
) -> Result<Connected, ConnectError> {
    let progress = Progress {
        stage: Cell::new(Stage::Dns),
        watch,
    };
    if let Some(tls) = &target.tls {
        tls.start_handshake();
    }
    let started = Instant::now();
    let limit = target.connect_timeout;
    let connected = tokio::time::timeout(limit, stages(target, &progress)).await;
    let kind = match connected.unwrap_or(Err(ConnectErrorKind::TimedOut(limit))) {
        Ok(connected) => return Ok(connected),
        Err(ConnectErrorKind::Closed | ConnectErrorKind::Io(_))
            if asked_for_certificate(target) =>
        {
            ConnectErrorKind::ClientCertificateRequested
        }
        Err(kind @ (ConnectErrorKind::Closed | ConnectErrorKind::Io(_)))
            if target.tls.is_none() && progress.stage.get() == Stage::Http2 =>
        {
            let left = limit.saturating_sub(started.elapsed());
            match tokio::time::timeout(left, speaks_tls(target)).await {
                Ok(true) => ConnectErrorKind::ServerExpectsTls,
                Ok(false) | Err(_) => kind,
            }
        }
        Err(kind) => kind,
    };
    Err(ConnectError {
        endpoint: target.endpoint.clone(),
        proxy: target.proxy.clone(),
        stage: progress.stage.get(),
        kind,
    })
}

/// Whether the server answers in TLS. Many hang up on plaintext without a word.
async fn speaks_tls(target: &Target) -> bool {
    let name = tls::PeerName::new(target.endpoint.host());
    let Ok(tls) = ClientTls::new(tls::TrustPolicy::Unverified, None, name) else {
        return false;
    };
    let silent = Progress {
        stage: Cell::new(Stage::Dns),
        watch: &|_| {},
    };
    match open(target, &silent).await {
        Ok(stream) => match handshake(&tls, stream).await {
            Ok(_) | Err(ConnectErrorKind::AlpnNotHttp2(_)) => true,
            // An alert is TLS too; what can't be read as TLS is not.
            Err(ConnectErrorKind::Tls(error)) => !matches!(error, rustls::Error::InvalidMessage(_)),
            Err(_) => false,
        },
        Err(_) => false,
    }
}

/// The server's alert may be lost when it hangs up while this side still writes.
fn asked_for_certificate(target: &Target) -> bool {
    target
        .tls
        .as_ref()
        .is_some_and(ClientTls::is_client_certificate_requested)
}

/// A stream of bytes, whatever carries it.
type Stream = Box<dyn Io>;

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}

async fn stages(target: &Target, progress: &Progress<'_>) -> Result<Connected, ConnectErrorKind> {
    let stream = open(target, progress).await?;
    let stream: Stream = match &target.tls {
        None => {
            progress.stage.set(Stage::Http2);
            Box::new(Held::new(stream))
        }
        Some(tls) => {
            progress.stage.set(Stage::Tls);
            let stream = handshake(tls, stream).await?;
            let session = session(stream.get_ref().1);
            progress.found(StageOutcome::TlsEstablished(session), Stage::Http2);
            Box::new(stream)
        }
    };
    http2(target, stream, progress).await
}

/// A connection to the server, through the proxy where there is one.
async fn open(target: &Target, progress: &Progress<'_>) -> Result<Stream, ConnectErrorKind> {
    let (host, port) = match (&target.endpoint, &target.proxy) {
        (Endpoint::Unix(path), _) => {
            progress.stage.set(Stage::Tcp);
            let stream = UnixStream::connect(path)
                .await
                .map_err(ConnectErrorKind::Io)?;
            (progress.watch)(StageOutcome::UnixConnected);
            return Ok(Box::new(stream));
        }
        (_, Some(proxy)) => (&proxy.host, proxy.port),
        (Endpoint::Tcp { host, port }, None) => (host, *port),
    };
    let addresses = look_up(host, port).await?;
    progress.found(StageOutcome::Resolved(addresses.clone()), Stage::Tcp);
    let opened = connect_any(addresses).await?;
    (progress.watch)(StageOutcome::TcpConnected {
        address: opened.address,
        failures: opened.failures,
    });
    let Some(proxy) = &target.proxy else {
        return Ok(Box::new(opened.stream));
    };
    progress.stage.set(Stage::Proxy);
    let stream = tunnel(opened.stream, proxy, &target.endpoint, &target.user_agent).await?;
    (progress.watch)(StageOutcome::ProxyConnected);
    Ok(Box::new(stream))
}

fn session(connection: &rustls::ClientConnection) -> TlsSession {
    let unknown = || "unknown".to_owned();
    let known = |name: Option<&str>| name.map_or_else(unknown, ToOwned::to_owned);
    let suite = connection.negotiated_cipher_suite();
    let group = connection.negotiated_key_exchange_group();
    TlsSession {
        version: known(match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => Some("TLS 1.2"),
            Some(rustls::ProtocolVersion::TLSv1_3) => Some("TLS 1.3"),
            _ => None,
        }),
        cipher_suite: known(suite.and_then(|suite| suite.suite().as_str())),
        key_exchange: known(group.and_then(|group| group.name().as_str())),
    }
}

async fn handshake(
    tls: &ClientTls,
    stream: Stream,
) -> Result<TlsStream<Held<Stream>>, ConnectErrorKind> {
    let mut stream = Held::new(stream);
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    stream.hold();
    let connecting = connector.connect(tls.handshake_name.clone(), stream);
    let mut stream = match connecting.into_fallible().await {
        Ok(stream) => stream,
        Err((error, mut stream)) => {
            // An alert for the server is held still. What went wrong before counts for more.
            stream.release();
            let _ = stream.flush().await;
            return Err(handshake_cause(error));
        }
    };
    stream.get_mut().0.release();
    let alpn = stream.get_ref().1.alpn_protocol();
    if !tls::is_http2(alpn) {
        return Err(ConnectErrorKind::AlpnNotHttp2(alpn.map(<[u8]>::to_vec)));
    }
    Ok(stream)
}

async fn http2(
    target: &Target,
    stream: Stream,
    progress: &Progress<'_>,
) -> Result<Connected, ConnectErrorKind> {
    let is_leaving = Arc::default();
    let (stream, greeting) = Greeted::new(stream, Arc::clone(&is_leaving));
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(RECEIVE_WINDOW)
        .initial_connection_window_size(RECEIVE_WINDOW)
        .max_header_list_size(LARGEST_HEADERS)
        .keep_alive_interval(target.keepalive_interval)
        .keep_alive_timeout(KEEPALIVE_ANSWER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(hyper_cause)?;
    let (ended, end) = oneshot::channel();
    let (tell, told) = watch::channel(None);
    let driver = tokio::spawn(async move {
        let result = connection.await;
        let how = result.as_ref().err().map(Ended::by);
        tell.send_replace(Some(how.unwrap_or_default()));
        // Before the greeting somebody waits for this; later the calls are told.
        let _ = ended.send(result);
    });
    match greeting.await {
        Ok(Greeting::Settings { max_streams }) => {
            (progress.watch)(StageOutcome::SettingsReceived);
            Ok(Connected {
                sender,
                driver,
                max_streams,
                fate: Fate {
                    end: told,
                    is_leaving,
                },
            })
        }
        Ok(Greeting::GoAway(reason)) => Err(ConnectErrorKind::GoAway(reason)),
        Ok(Greeting::Other(first)) => Err(ConnectErrorKind::NotHttp2(first)),
        Err(_) => Err(match end.await {
            Ok(Err(error)) => hyper_cause(error),
            Ok(Ok(())) | Err(_) => ConnectErrorKind::Closed,
        }),
    }
}

pub(super) fn hyper_cause(error: hyper::Error) -> ConnectErrorKind {
    let mut source = error.source();
    while let Some(inner) = source {
        if is_garbled(inner) {
            return ConnectErrorKind::ProtocolError(inner.to_string());
        }
        let h2 = inner.downcast_ref::<h2::Error>();
        let io = inner.downcast_ref::<io::Error>();
        if let Some(io) = io.or_else(|| h2?.get_io()) {
            return match tls_error(io) {
                Some(error) => ConnectErrorKind::Tls(error.clone()),
                None if io.kind() == io::ErrorKind::UnexpectedEof => ConnectErrorKind::Closed,
                None => ConnectErrorKind::Io(io::Error::new(io.kind(), io.to_string())),
            };
        }
        source = inner.source();
    }
    ConnectErrorKind::Http2(error.into())
}

fn handshake_cause(error: io::Error) -> ConnectErrorKind {
    match tls_error(&error) {
        Some(error) => ConnectErrorKind::Tls(error.clone()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => ConnectErrorKind::Closed,
        None => ConnectErrorKind::Io(error),
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
