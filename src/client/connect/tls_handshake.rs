//! The TLS handshake, in which the server must select HTTP/2 by ALPN.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    byte_stream::ByteStream,
    corked_stream::CorkedStream,
    error::{ConnectErrorKind, peer_text},
};
use crate::tls::{self, ClientTls, HandshakeError};

pub(super) async fn handshake(
    tls: &ClientTls,
    stream: ByteStream,
) -> Result<TlsStream<CorkedStream<ByteStream>>, ConnectErrorKind> {
    let mut stream = CorkedStream::new(stream);
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    stream.cork();
    let connecting = connector.connect(tls.handshake_name.clone(), stream);
    let mut stream = match connecting.into_fallible().await {
        Ok(stream) => stream,
        Err((error, mut stream)) => {
            // The alert for the server is still in the buffer of the corked stream. A write error
            // is ignored, because returning the write error would hide the handshake error.
            stream.uncork();
            let _ = stream.flush().await;
            return Err(ConnectErrorKind::from_handshake(error));
        }
    };
    stream.get_mut().0.uncork();
    let alpn = stream.get_ref().1.alpn_protocol();
    if alpn == Some(tls::HTTP2_PROTOCOL) {
        return Ok(stream);
    }
    let selected = peer_text(alpn.unwrap_or(b"none"));
    Err(ConnectErrorKind::Tls(HandshakeError::NoHttp2(selected)))
}
