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

/// The number of bytes that are kept, which suffices for the status line of an HTTP/1.1 server.
const MAX_FIRST_BYTES: usize = 256;

pub(super) struct ServerBytes<S> {
    pub(super) stream: S,
    /// The first bytes from the server. The receiver is also notified of each later read.
    pub(super) first_bytes: watch::Sender<Vec<u8>>,
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
        self.first_bytes.send_modify(|first| {
            let missing = MAX_FIRST_BYTES - first.len();
            first.extend(bytes.iter().take(missing));
        });
        Poll::Ready(match result {
            // HTTP/2 itself shows whether a response is complete. An error would hide a GOAWAY frame
            // that the server sent before it closed the connection without close_notify.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            // The HTTP/2 library keeps only the kind of an I/O error, which is the same for an alert
            // and for invalid TLS.
            Err(error) if is_alert(&error) => {
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, error))
            }
            result => result,
        })
    }
}

fn is_alert(error: &io::Error) -> bool {
    let tls_error = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(tls_error, Some(rustls::Error::AlertReceived(_)))
}
