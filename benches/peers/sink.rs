//! A receiver for measuring clients. The receiver itself uses almost no CPU time: it discards every
//! request without decoding it, and responds with code 0.
//!
//! Usage: `sink CACERT`. The receiver writes the certificate to trust to the file CACERT. It prints
//! its own address, and the address of a forwarder that adds a round-trip time of 50 ms.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
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
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let slow_listener = TcpListener::bind("127.0.0.1:0")?;
        #[allow(clippy::print_stdout, reason = "run.py reads the addresses")]
        {
            println!("{address}\n{}", slow_listener.local_addr()?);
        }
        thread::spawn(move || forward_slowly(&slow_listener, address).ok());
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            // A connection error ends only this task, so it does not affect the other clients.
            tokio::spawn(async move { serve(acceptor, stream).await.ok() });
        }
    })
}

async fn serve(acceptor: TlsAcceptor, stream: tokio::net::TcpStream) -> Result<(), Error> {
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

/// Forwards connections to a server with a delay in both directions, without limiting the rate. Uses
/// threads, because timers of tokio are up to 2 ms late.
fn forward_slowly(listener: &TcpListener, server: SocketAddr) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept()?;
        let server = TcpStream::connect(server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        forward_direction(client.try_clone()?, server.try_clone()?);
        forward_direction(server, client);
    }
}

/// Starts two threads: one reads chunks, and the other writes each chunk when it is due.
fn forward_direction(mut from: TcpStream, mut to: TcpStream) {
    let (sender, chunks) = mpsc::channel::<DelayedChunk>();
    thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let chunk = DelayedChunk {
                due: Instant::now() + ONE_WAY_DELAY,
                bytes: buffer[..length].to_vec(),
            };
            if sender.send(chunk).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for chunk in chunks {
            thread::sleep(chunk.due.saturating_duration_since(Instant::now()));
            if to.write_all(&chunk.bytes).is_err() {
                return;
            }
        }
        // Dropping `to` would not end the connection, because the other direction has a clone.
        to.shutdown(Shutdown::Write).ok();
    });
}

struct DelayedChunk {
    due: Instant,
    bytes: Vec<u8>,
}
