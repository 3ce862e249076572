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
    Settings {
        /// How many requests may be open at a time (`SETTINGS_MAX_CONCURRENT_STREAMS`).
        max_streams: Option<u32>,
    },
    /// The first bytes of something else.
    Other(Vec<u8>),
}

/// A frame's header: 24 bits of length, its type, its flags and 32 bits of a stream's number.
const HEADER: usize = 9;
const SETTINGS: u8 = 4;

/// No server has so many settings; what else says so speaks something else.
const LONGEST: usize = 1024;

/// How much of something else is kept to tell what it is.
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
        let room = HEADER + LONGEST - self.first.len();
        self.first.extend(bytes.iter().take(room));
        let greeting = match *self.first.as_slice() {
            [0, high, low, SETTINGS, ..]
                if usize::from(high) << 8 | usize::from(low) <= LONGEST =>
            {
                let length = HEADER + (usize::from(high) << 8 | usize::from(low));
                (self.first.len() >= length).then(|| Greeting::Settings {
                    max_streams: max_streams(&self.first[HEADER..length]),
                })
            }
            [_, _, _, _, ..] => Some(self.other()),
            [_, ..] if ended => Some(self.other()),
            _ => None,
        };
        let Some(greeting) = greeting else { return };
        if let Some(report) = self.report.take() {
            // Nobody waits any more when the time to connect has passed.
            let _ = report.send(greeting);
        }
    }

    fn other(&self) -> Greeting {
        Greeting::Other(self.first.iter().take(SHOWN).copied().collect())
    }
}

/// RFC 9113 section 6.5.1: settings of 6 bytes, 2 of which say which it is.
fn max_streams(settings: &[u8]) -> Option<u32> {
    const MAX_CONCURRENT_STREAMS: [u8; 2] = [0, 3];
    let mut values = settings.chunks_exact(6).rev();
    let found = values.find(|setting| setting.starts_with(&MAX_CONCURRENT_STREAMS))?;
    found[2..].try_into().ok().map(u32::from_be_bytes)
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
