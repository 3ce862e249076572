//! [`CorkedStream`]: combines small writes into one large write, as `TCP_CORK` does.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};

/// The size of the write buffer in bytes. The last message of a usual TLS handshake and the first
/// HTTP/2 frames fit into the buffer together.
const BUFFER_BYTES: usize = 2048;

/// A stream that buffers written data until a flush. While the stream is corked, it ignores
/// flushes.
///
/// The buffer combines small writes into fewer and larger packets, which need fewer system calls
/// and wake the server less often.
pub(super) struct CorkedStream<S> {
    stream: BufWriter<S>,
    is_corked: bool,
}

impl<S: AsyncWrite> CorkedStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: BufWriter::with_capacity(BUFFER_BYTES, stream),
            is_corked: false,
        }
    }

    /// Makes the stream ignore flushes. The stream then sends written data only before the next
    /// read, or when the buffer is full. The last message of a TLS handshake thus stays in the
    /// buffer until the data after the handshake is sent.
    pub(super) fn cork(&mut self) {
        self.is_corked = true;
    }

    pub(super) fn uncork(&mut self) {
        self.is_corked = false;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for CorkedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_corked && !self.stream.buffer().is_empty() {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CorkedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_corked {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
