//! A receiver for measuring clients. The receiver itself uses almost no CPU time: it discards every
//! request without decoding it, and responds with code 0.
//!
//! Usage: `sink CACERT`. The receiver writes the certificate to trust to the file CACERT. It prints
//! its own address, and the address of a forwarder that adds a round-trip time of 50 ms.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_rustls::TlsAcceptor;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The HTTP/2 flow-control window of each request and of the connection.
const WINDOW_BYTES: u32 = 16 << 20;

/// The delay of the slow link in each direction.
const ONE_WAY_DELAY: Duration = Duration::from_millis(25);

fn main() -> Result<(), Error> {
    let cacert = std::env::args().nth(1).ok_or("usage: sink CACERT")?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    std::fs::write(cacert, cert.pem())?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let slow_listener = TcpListener::bind("127.0.0.1:0").await?;
        #[allow(clippy::print_stdout, reason = "run.py reads the addresses")]
        {
            println!(
                "{}\n{}",
                listener.local_addr()?,
                slow_listener.local_addr()?
            );
        }
        tokio::spawn(forward_slowly(slow_listener, listener.local_addr()?));
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            // A connection error ends only this task, so it does not affect the other clients.
            tokio::spawn(async move { serve(acceptor, stream).await.ok() });
        }
    })
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let mut connection = h2::server::Builder::new()
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(1 << 20)
        .handshake(stream)
        .await?;
    while let Some(request) = connection.accept().await {
        let (request, response) = request?;
        tokio::spawn(async move { respond(request.into_body(), response).await.ok() });
    }
    Ok(())
}

async fn respond(
    mut body: h2::RecvStream,
    mut response_sender: h2::server::SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    let mut response = Response::new(());
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    let mut stream = response_sender.send_response(response, false)?;
    // These 5 bytes are the prefix of an empty message. An empty message has code 0, because 0 is
    // the default value.
    stream.send_data(Bytes::from_static(&[0; 5]), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

/// Forwards connections to a server with a delay in both directions, without limiting the rate.
async fn forward_slowly(listener: TcpListener, server: SocketAddr) -> std::io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let server = TcpStream::connect(server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(forward_direction(from_client, to_server));
        tokio::spawn(forward_direction(from_server, to_client));
    }
}

async fn forward_direction(
    mut from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin + Send + 'static,
) {
    let (sender, chunks) = mpsc::unbounded_channel();
    tokio::spawn(deliver_when_due(chunks, to));
    let mut buffer = vec![0; 256 << 10];
    // At the end of the input, `sender` is dropped. The receiving task then closes the output after
    // the last chunk.
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let chunk = DelayedChunk {
            due: Instant::now() + ONE_WAY_DELAY,
            bytes: Bytes::copy_from_slice(&buffer[..length]),
        };
        if sender.send(chunk).is_err() {
            return;
        }
    }
}

struct DelayedChunk {
    due: Instant,
    bytes: Bytes,
}

async fn deliver_when_due(
    mut chunks: mpsc::UnboundedReceiver<DelayedChunk>,
    mut to: impl AsyncWrite + Unpin,
) {
    while let Some(chunk) = chunks.recv().await {
        sleep_until(chunk.due).await;
        if to.write_all(&chunk.bytes).await.is_err() {
            return;
        }
    }
}
