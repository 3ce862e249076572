//! A receiver that costs next to nothing, to measure clients against: it takes every request,
//! looks at nothing and answers with code 0.
//!
//! Usage: sink CACERT. It writes the certificate to trust there, then prints its address, and
//! another that leads to the same over a link with a round trip of 50 ms.

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

/// What a request and a connection may have under way.
const WINDOW: u32 = 16 << 20;

/// What each way of the slow link takes.
const DELAY: Duration = Duration::from_millis(25);

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
        let slow = TcpListener::bind("127.0.0.1:0").await?;
        #[allow(clippy::print_stdout, reason = "the script waits for it")]
        {
            println!("{}\n{}", listener.local_addr()?, slow.local_addr()?);
        }
        tokio::spawn(delay(slow, listener.local_addr()?));
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            // A client that goes away is none of the others' business.
            tokio::spawn(async move { serve(acceptor, stream).await.ok() });
        }
    })
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let mut connection = h2::server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(1 << 20)
        .handshake(stream)
        .await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(async move { answer(request.into_body(), respond).await.ok() });
    }
    Ok(())
}

async fn answer(
    mut body: h2::RecvStream,
    mut respond: h2::server::SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    let mut response = Response::new(());
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    let mut stream = respond.send_response(response, false)?;
    // An empty message, whose code is 0.
    stream.send_data(Bytes::from_static(&[0; 5]), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

/// Leads connections to a server, with a delay both ways and no limit of its own.
async fn delay(listener: TcpListener, to: SocketAddr) -> std::io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let server = TcpStream::connect(to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(carry(from_client, to_server));
        tokio::spawn(carry(from_server, to_client));
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin + Send + 'static) {
    let (late, under_way) = mpsc::unbounded_channel();
    tokio::spawn(arrive(under_way, to));
    let mut buffer = vec![0; 256 << 10];
    // Whichever side ends, the other learns of it by the end of its own stream.
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(&buffer[..length]);
        if late.send((Instant::now() + DELAY, bytes)).is_err() {
            return;
        }
    }
}

async fn arrive(
    mut under_way: mpsc::UnboundedReceiver<(Instant, Bytes)>,
    mut to: impl AsyncWrite + Unpin,
) {
    while let Some((due, bytes)) = under_way.recv().await {
        sleep_until(due).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
