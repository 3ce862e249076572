//! [`ServerBytes`]: keeps the first bytes from a server, and translates the ends of a TLS connection
//! for the HTTP/2 library.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::watch,
};

use crate::tls::TlsProtocolError;

/// The number of bytes that are kept, which suffices for the status line of an HTTP/1.1 server.
const MAX_FIRST_BYTES: usize = 256;

pub(super) struct ServerBytes<S> {
    pub(super) stream: S,
    /// The receiver is notified of each read.
    pub(super) received: watch::Sender<Received>,
}

#[derive(Debug, Default)]
pub(super) struct Received {
    /// The first bytes from the server.
    pub(super) first_bytes: Vec<u8>,
    /// The TLS alert with which the server ended the connection.
    pub(super) alert: Option<TlsProtocolError>,
}

impl<S: AsyncRead + Unpin> AsyncRead for ServerBytes<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        let bytes = &buf.filled()[filled_before..];
        let tls_error = result.as_ref().err().and_then(TlsProtocolError::from_io);
        self.received.send_modify(|received| {
            let missing = MAX_FIRST_BYTES - received.first_bytes.len();
            received.first_bytes.extend(bytes.iter().take(missing));
            received.alert = tls_error.clone().filter(TlsProtocolError::is_alert);
        });
        Poll::Ready(match result {
            // HTTP/2 itself shows whether a response is complete. An error would hide a GOAWAY frame
            // that the server sent before it closed the connection without close_notify.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(match tls_error {
                // The HTTP/2 library keeps only the kind of an I/O error, which is the same for an
                // alert and for invalid TLS.
                Some(alert) if alert.is_alert() => {
                    io::Error::new(io::ErrorKind::ConnectionAborted, alert)
                }
                Some(tls_error) => io::Error::new(error.kind(), tls_error),
                None => error,
            }),
            Ok(()) => Ok(()),
        })
    }
}
