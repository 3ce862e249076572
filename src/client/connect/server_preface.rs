//! Notices a server's first HTTP/2 frame, which must be SETTINGS (RFC 9113 section 3.4), and the one
//! that announces the connection's end.

use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
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
    /// The connection ends before it began (GOAWAY).
    GoAway(h2::Reason),
    /// The first bytes of something else.
    Other(Vec<u8>),
}

/// A frame's header: 24 bits of length, its type, its flags and 32 bits of a stream's number.
const HEADER: usize = 9;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Where a GOAWAY has its reason: behind a stream's number (RFC 9113 section 6.8).
const REASON: Range<usize> = HEADER + 4..HEADER + 8;

/// No server has so many settings; what else says so speaks something else.
const LONGEST: usize = 1024;

/// How much of something else is kept to tell what it is.
const SHOWN: usize = 64;

/// Passes bytes through and reports what the first of them are.
pub(super) struct Greeted<S> {
    stream: S,
    report: Option<oneshot::Sender<Greeting>>,
    first: Vec<u8>,
    frames: Frames,
    is_leaving: Arc<AtomicBool>,
}

impl<S> Greeted<S> {
    /// `is_leaving` is set when the server announces the connection's end.
    pub(super) fn new(
        stream: S,
        is_leaving: Arc<AtomicBool>,
    ) -> (Self, oneshot::Receiver<Greeting>) {
        let (report, greeting) = oneshot::channel();
        let greeted = Self {
            stream,
            report: Some(report),
            first: Vec::new(),
            frames: Frames::default(),
            is_leaving,
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
            [0, 0..=64, _, GOAWAY, ..] if !ended && self.first.len() < REASON.end => None,
            [0, 0..=64, _, GOAWAY, _, 0, 0, 0, 0, ..] => Some(self.gone_away()),
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

    fn gone_away(&self) -> Greeting {
        let reason = self.first.get(REASON);
        match reason.and_then(|reason| reason.try_into().ok()) {
            Some(reason) => Greeting::GoAway(u32::from_be_bytes(reason).into()),
            None => self.other(),
        }
    }

    fn other(&self) -> Greeting {
        Greeting::Other(self.first.iter().take(SHOWN).copied().collect())
    }
}

/// Follows frames by their headers.
#[derive(Default)]
struct Frames {
    header: Vec<u8>,
    /// What is still to come of a frame behind its header.
    payload: usize,
}

impl Frames {
    /// Whether GOAWAY begins in these bytes, which follow those before.
    fn bring_goaway(&mut self, mut bytes: &[u8]) -> bool {
        let mut found = false;
        while !bytes.is_empty() {
            let (payload, behind) = bytes.split_at(self.payload.min(bytes.len()));
            self.payload -= payload.len();
            let missing = HEADER - self.header.len();
            let (header, behind) = behind.split_at(missing.min(behind.len()));
            self.header.extend_from_slice(header);
            if let [a, b, c, kind, ..] = *self.header.as_slice()
                && self.header.len() == HEADER
            {
                self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                found |= kind == GOAWAY;
                self.header.clear();
            }
            bytes = behind;
        }
        found
    }
}

/// What a broken TLS connection is to those above, who learn an error's kind alone: an alert is a
/// server that hangs up, anything else is not TLS at all.
fn kind_told(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::AlertReceived(_)) => {
            io::Error::new(io::ErrorKind::ConnectionAborted, error)
        }
        Some(_) => io::Error::new(io::ErrorKind::InvalidData, error),
        // Its words would send an operator to the library's manual.
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), "it was cut off without a farewell in TLS")
        }
        None => error,
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
        if matches!(poll, Poll::Ready(Ok(()))) {
            let bytes = &buf.filled()[before..];
            if self.frames.bring_goaway(bytes) {
                self.is_leaving.store(true, Ordering::Relaxed);
            }
            if self.report.is_some() {
                self.look(bytes, bytes.is_empty());
            }
        }
        poll.map_err(kind_told)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_goaway_is_noticed_wherever_reads_end(
            frames in proptest::collection::vec((0_u8..10, 0_usize..40), 0..8),
            size in 1_usize..30,
        ) {
            let mut bytes = Vec::new();
            for (kind, length) in &frames {
                // Payloads of what would be a GOAWAY's type, were it a header.
                let length = u8::try_from(*length).expect("short");
                bytes.extend([0, 0, length, *kind, 0, 0, 0, 0, 1]);
                bytes.extend(vec![GOAWAY; length.into()]);
            }
            let mut followed = Frames::default();
            let found = bytes.chunks(size).filter(|chunk| followed.bring_goaway(chunk)).count();
            let expected = frames.iter().filter(|(kind, _)| *kind == GOAWAY).count();
            prop_assert_eq!(found > 0, expected > 0);
        }
    }
}
