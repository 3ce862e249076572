//! The TLS handshake, in which the server must select HTTP/2 by ALPN.

use std::sync::Arc;

use tokio::io::{AsyncWriteExt, BufWriter};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    byte_stream::ByteStream,
    error::{ConnectErrorKind, peer_text},
};
use crate::tls::{self, ClientTls, HandshakeError};

pub(super) async fn handshake(
    tls: &ClientTls,
    stream: ByteStream,
) -> Result<TlsStream<BufWriter<ByteStream>>, ConnectErrorKind> {
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    // The buffer combines the small writes of HTTP/2 frames into few system calls.
    let connecting = connector.connect(tls.handshake_name.clone(), BufWriter::new(stream));
    let stream = match connecting.into_fallible().await {
        Ok(stream) => stream,
        Err((error, mut stream)) => {
            // The alert for the server may still be in the buffer. A write error is ignored, because
            // returning the write error would hide the handshake error.
            let _ = stream.flush().await;
            return Err(ConnectErrorKind::from_handshake(error));
        }
    };
    let alpn = stream.get_ref().1.alpn_protocol();
    if alpn == Some(tls::HTTP2_PROTOCOL) {
        return Ok(stream);
    }
    let selected = peer_text(alpn.unwrap_or(b"none"));
    Err(ConnectErrorKind::Tls(HandshakeError::NoHttp2(selected)))
}
