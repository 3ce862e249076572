//! Small writes are gathered, so that fewer packets go out: each is a system call here and may wake
//! the other side.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};

/// All that is written before HTTP/2's first frames are out.
const ROOM: usize = 2048;

/// A stream whose writes wait to be flushed, and whose flushes wait too while it is held.
pub(super) struct Held<S> {
    stream: BufWriter<S>,
    is_held: bool,
}

impl<S: AsyncWrite> Held<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: BufWriter::with_capacity(ROOM, stream),
            is_held: false,
        }
    }

    /// Lets what is written wait until this side would wait for the other, however often it is
    /// flushed: the last message of a TLS handshake can travel with what follows it.
    pub(super) fn hold(&mut self) {
        self.is_held = true;
    }

    pub(super) fn release(&mut self) {
        self.is_held = false;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_held && !self.stream.buffer().is_empty() {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_held {
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
