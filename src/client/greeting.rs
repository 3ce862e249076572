//! Notices a server's first HTTP/2 frame, which must be SETTINGS (RFC 9113 section 3.4).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// What a server's first bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    Settings,
    /// The first bytes of something else.
    Other(Vec<u8>),
}

/// A frame's header: 24 bits of length, then its type.
const HEADER: usize = 4;
const SETTINGS: u8 = 4;

/// Without the greeting a reader may not know how long to wait; more is never needed to tell what
/// else it is.
const SHOWN: usize = 64;

/// Passes bytes through and reports what the first of them are.
pub(super) struct Greeted<S> {
    stream: S,
    report: Option<oneshot::Sender<Greeting>>,
    first: Vec<u8>,
}

impl<S> Greeted<S> {
    pub(super) fn new(stream: S) -> (Self, oneshot::Receiver<Greeting>) {
        let (report, greeting) = oneshot::channel();
        let greeted = Self {
            stream,
            report: Some(report),
            first: Vec::new(),
        };
        (greeted, greeting)
    }

    fn look(&mut self, bytes: &[u8], ended: bool) {
        let room = SHOWN - self.first.len();
        self.first.extend(bytes.iter().take(room));
        let greeting = match self.first.get(HEADER - 1) {
            Some(&SETTINGS) if self.first[0] == 0 => Greeting::Settings,
            Some(_) => Greeting::Other(std::mem::take(&mut self.first)),
            None if ended && !self.first.is_empty() => {
                Greeting::Other(std::mem::take(&mut self.first))
            }
            None => return,
        };
        if let Some(report) = self.report.take() {
            // Nobody waits any more when the time to connect has passed.
            let _ = report.send(greeting);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Greeted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.report.is_some() && matches!(poll, Poll::Ready(Ok(()))) {
            let bytes = &buf.filled()[before..];
            let ended = bytes.is_empty();
            self.look(bytes, ended);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Greeted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
