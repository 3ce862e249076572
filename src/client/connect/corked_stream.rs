//! [`CorkedStream`]: combines small writes into one large write, as `TCP_CORK` does.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};

/// The size of the write buffer in bytes, enough for the end of a usual TLS handshake and the first
/// HTTP/2 frames.
const BUFFER_BYTES: usize = 2048;

/// A stream that buffers writes until they are flushed. While the stream is corked, it ignores
/// flushes.
///
/// Fewer and larger packets need fewer system calls in this program, and wake the server less
/// often.
pub(super) struct CorkedStream<S> {
    stream: BufWriter<S>,
    is_corked: bool,
}

impl<S: AsyncWrite> CorkedStream<S> {
    /// Creates a stream that is not corked.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: BufWriter::with_capacity(BUFFER_BYTES, stream),
            is_corked: false,
        }
    }

    /// Makes the stream ignore flushes: written data is sent before the next read, or when the
    /// buffer is full. The last message of a TLS handshake is then sent together with the data that
    /// follows.
    pub(super) fn cork(&mut self) {
        self.is_corked = true;
    }

    /// Makes flushes take effect again.
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
