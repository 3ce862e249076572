//! Accepts connections for the receiver: over TCP or a Unix domain socket, with or without TLS.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The delay before the next `accept` after an error, for example because of too many open files.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The maximum number of connections that are ready for HTTP/2 and wait until the server takes
/// them.
const MAX_READY_CONNECTIONS: usize = 64;

/// A byte stream to a client, ready for HTTP/2.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

impl Connected for Box<dyn ByteStream> {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

/// Accepts connections until the returned stream is dropped. TLS handshakes run concurrently.
/// Therefore a client that stalls in its handshake does not delay other clients.
pub(super) fn accept_connections(
    listener: Listener,
    tls: Option<Arc<ServerConfig>>,
) -> ReceiverStream<io::Result<Box<dyn ByteStream>>> {
    let (ready, connections) = mpsc::channel(MAX_READY_CONNECTIONS);
    let acceptor = tls.map(TlsAcceptor::from);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ready.closed() => return,
            };
            let Ok(stream) = accepted else {
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            };
            let ready = ready.clone();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let handshake = handshake(stream, acceptor);
                if let Ok(Ok(connection)) =
                    tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, handshake).await
                {
                    // Sending fails only if the server is shutting down. The connection is then
                    // closed.
                    let _ = ready.send(Ok(connection)).await;
                }
            });
        }
    });
    ReceiverStream::new(connections)
}

async fn handshake(
    stream: Box<dyn ByteStream>,
    acceptor: Option<TlsAcceptor>,
) -> io::Result<Box<dyn ByteStream>> {
    Ok(match acceptor {
        Some(acceptor) => Box::new(acceptor.accept(stream).await?),
        None => stream,
    })
}

impl Listener {
    /// Returns the address and the port, or `None` for a Unix domain socket.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn ByteStream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Box::new(stream))
            }
        }
    }
}
