//! Accepts connections for the receiver: over TCP or a Unix domain socket, with or without TLS.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::tls::{AcceptError, ServerTls};

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

/// A TLS handshake that failed.
#[derive(Debug, thiserror::Error)]
#[error("TLS handshake with client{} failed: {reason}", address.map_or_else(String::new, |address| format!(" {address}")))]
pub(crate) struct FailedHandshake {
    /// `None` for a Unix domain socket.
    address: Option<SocketAddr>,
    reason: HandshakeFailure,
}

#[derive(Debug, thiserror::Error)]
enum HandshakeFailure {
    #[error(transparent)]
    NotAccepted(AcceptError),
    #[error("timed out after {0:?}")]
    TimedOut(Duration),
}

/// Accepts connections until the returned stream is dropped. TLS handshakes run concurrently.
/// Therefore a client that stalls in its handshake does not delay other clients.
pub(super) fn accept_connections(
    listener: Listener,
    tls: Option<ServerTls>,
    on_failure: impl Fn(FailedHandshake) + Clone + Send + 'static,
) -> ReceiverStream<io::Result<Box<dyn ByteStream>>> {
    let (ready, connections) = mpsc::channel(MAX_READY_CONNECTIONS);
    let tls = tls.map(Arc::new);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ready.closed() => return,
            };
            let Ok((stream, address)) = accepted else {
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            };
            let (ready, tls, on_failure) = (ready.clone(), tls.clone(), on_failure.clone());
            tokio::spawn(async move {
                match handshake(stream, tls.as_deref()).await {
                    // Sending fails only if the server is shutting down. The connection is then
                    // closed.
                    Ok(connection) => drop(ready.send(Ok(connection)).await),
                    Err(reason) => on_failure(FailedHandshake { address, reason }),
                }
            });
        }
    });
    ReceiverStream::new(connections)
}

async fn handshake(
    stream: Box<dyn ByteStream>,
    tls: Option<&ServerTls>,
) -> Result<Box<dyn ByteStream>, HandshakeFailure> {
    let Some(tls) = tls.map(ServerTls::for_connection) else {
        return Ok(stream);
    };
    let accepting = TlsAcceptor::from(Arc::clone(&tls.config)).accept(stream);
    match tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, accepting).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(HandshakeFailure::NotAccepted(tls.explain(error))),
        Err(_) => Err(HandshakeFailure::TimedOut(TLS_HANDSHAKE_TIMEOUT)),
    }
}

impl Listener {
    /// Returns the address and the port, or `None` for a Unix domain socket.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Returns a connection, and the address of the client unless the socket is a Unix domain socket.
    async fn accept(&self) -> io::Result<(Box<dyn ByteStream>, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), Some(address)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), None))
            }
        }
    }
}
