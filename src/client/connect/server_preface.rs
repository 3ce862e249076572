//! [`PrefaceObserver`]: searches the bytes from a server for the first HTTP/2 frame and for GOAWAY.
//!
//! The first frame must be SETTINGS (RFC 9113 section 3.4). The HTTP/2 library does not report when
//! SETTINGS arrives, or which bytes arrived instead.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::oneshot,
};

use super::error::ConnectErrorKind;

/// The first SETTINGS frame of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerSettings {
    /// The value of `SETTINGS_MAX_CONCURRENT_STREAMS`, or `None` for no limit.
    pub(super) max_streams: Option<u32>,
}

/// The length of a frame header in bytes. The header consists of the payload length (24 bits), the
/// type (8 bits), the flags (8 bits) and the stream identifier (32 bits).
const FRAME_HEADER_BYTES: usize = 9;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// The length of a GOAWAY frame through the end of its error code: the frame header, a stream
/// identifier and the error code (RFC 9113 section 6.8).
const GOAWAY_BYTES: usize = FRAME_HEADER_BYTES + 8;

/// The maximum payload of the first SETTINGS frame, in bytes. A setting has 6 bytes, and no server
/// sends enough settings to exceed this limit, so a larger length is a sign of a different
/// protocol.
const MAX_SETTINGS_BYTES: usize = 1024;

/// A reader that passes all bytes through, and reports once what the server sent first.
pub(super) struct PrefaceObserver<S> {
    stream: S,
    preface_sender: Option<oneshot::Sender<Result<ServerSettings, ConnectErrorKind>>>,
    first_bytes: Vec<u8>,
    frames: FrameTracker,
    has_goaway: Arc<AtomicBool>,
}

impl<S> PrefaceObserver<S> {
    /// Creates an observer that sets `has_goaway` when the server sends a GOAWAY frame.
    pub(super) fn new(
        stream: S,
        has_goaway: Arc<AtomicBool>,
    ) -> (
        Self,
        oneshot::Receiver<Result<ServerSettings, ConnectErrorKind>>,
    ) {
        let (preface_sender, preface) = oneshot::channel();
        let observer = Self {
            stream,
            preface_sender: Some(preface_sender),
            first_bytes: Vec::new(),
            frames: FrameTracker::default(),
            has_goaway,
        };
        (observer, preface)
    }

    /// Adds bytes from the server, and reports the preface as soon as the preface is known.
    /// `is_end` must be true if the server has ended the stream, so no further bytes can arrive.
    fn observe(&mut self, bytes: &[u8], is_end: bool) {
        let missing = FRAME_HEADER_BYTES + MAX_SETTINGS_BYTES - self.first_bytes.len();
        self.first_bytes.extend(bytes.iter().take(missing));
        let first_bytes = self.first_bytes.as_slice();
        let preface = match *first_bytes {
            [0, high, low, SETTINGS, ..] if payload_bytes(high, low) <= MAX_SETTINGS_BYTES => {
                let frame_bytes = FRAME_HEADER_BYTES + payload_bytes(high, low);
                let Some(settings) = first_bytes.get(FRAME_HEADER_BYTES..frame_bytes) else {
                    return;
                };
                Ok(ServerSettings {
                    max_streams: max_streams(settings),
                })
            }
            [0, 0..=64, _, GOAWAY, ..] if !is_end && first_bytes.len() < GOAWAY_BYTES => return,
            [
                0,
                0..=64,
                _,
                GOAWAY,
                _,
                0,
                0,
                0,
                0,
                _,
                _,
                _,
                _,
                a,
                b,
                c,
                d,
                ..,
            ] => {
                let code = u32::from_be_bytes([a, b, c, d]);
                Err(ConnectErrorKind::GoAway(code.into()))
            }
            [_, _, _, _, ..] => Err(ConnectErrorKind::from_first_bytes(first_bytes)),
            [_, ..] if is_end => Err(ConnectErrorKind::from_first_bytes(first_bytes)),
            _ => return,
        };
        if let Some(sender) = self.preface_sender.take() {
            // The receiver is gone if the connect timeout has passed.
            let _ = sender.send(preface);
        }
    }
}

/// Returns the payload length of a frame from the two lower bytes of the length. The highest byte
/// of the length must be 0.
fn payload_bytes(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]))
}

/// Returns the last value of `SETTINGS_MAX_CONCURRENT_STREAMS` in a SETTINGS payload, or `None` if
/// the payload does not contain this setting. Each setting has an identifier of 2 bytes and a value
/// of 4 bytes (RFC 9113 section 6.5.1).
fn max_streams(settings: &[u8]) -> Option<u32> {
    const MAX_CONCURRENT_STREAMS: [u8; 2] = [0, 3];
    let mut settings = settings.chunks_exact(6).rev();
    let found = settings.find(|setting| setting.starts_with(&MAX_CONCURRENT_STREAMS))?;
    found[2..].try_into().ok().map(u32::from_be_bytes)
}

#[derive(Default)]
struct FrameTracker {
    /// The first bytes of a frame header that has not arrived completely.
    header: Vec<u8>,
    /// The number of payload bytes that will arrive before the next frame header.
    remaining_payload: usize,
}

impl FrameTracker {
    /// Parses the next `bytes` of the connection. Returns whether they complete a GOAWAY frame
    /// header, which may have begun in an earlier call.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        let mut has_goaway = false;
        while !bytes.is_empty() {
            let (payload, rest) = bytes.split_at(self.remaining_payload.min(bytes.len()));
            self.remaining_payload -= payload.len();
            let missing = FRAME_HEADER_BYTES - self.header.len();
            let (header, rest) = rest.split_at(missing.min(rest.len()));
            self.header.extend_from_slice(header);
            if let [a, b, c, frame_type, ..] = *self.header.as_slice()
                && self.header.len() == FRAME_HEADER_BYTES
            {
                self.remaining_payload =
                    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                has_goaway |= frame_type == GOAWAY;
                self.header.clear();
            }
            bytes = rest;
        }
        has_goaway
    }
}

/// Sets the kind of an I/O error that wraps a TLS error: [`io::ErrorKind::ConnectionAborted`] for
/// an alert, and [`io::ErrorKind::InvalidData`] for any other TLS error. The HTTP/2 library keeps
/// only the kind and the message of an I/O error, so the TLS error itself is lost.
fn translate_tls_error(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::AlertReceived(_)) => {
            io::Error::new(io::ErrorKind::ConnectionAborted, error)
        }
        Some(_) => io::Error::new(io::ErrorKind::InvalidData, error),
        // The message of rustls is replaced, because it refers to the rustls manual.
        None if error.kind() == io::ErrorKind::UnexpectedEof => io::Error::new(
            error.kind(),
            "server closed the connection without TLS close_notify",
        ),
        None => error,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PrefaceObserver<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if matches!(poll, Poll::Ready(Ok(()))) {
            let bytes = &buf.filled()[filled_before..];
            if self.frames.follow(bytes) {
                self.has_goaway.store(true, Ordering::Relaxed);
            }
            if self.preface_sender.is_some() {
                self.observe(bytes, bytes.is_empty());
            }
        }
        poll.map_err(translate_tls_error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_goaway_in_split_reads(
            frames in proptest::collection::vec((0_u8..10, 0_usize..40), 0..8),
            read_bytes in 1_usize..30,
        ) {
            let mut bytes = Vec::new();
            for (frame_type, length) in &frames {
                // Every payload byte is the GOAWAY type, so a tracker that takes payload for a
                // frame header reports a GOAWAY frame.
                let length = u8::try_from(*length).expect("short");
                bytes.extend([0, 0, length, *frame_type, 0, 0, 0, 0, 1]);
                bytes.extend(vec![GOAWAY; length.into()]);
            }
            let mut tracker = FrameTracker::default();
            let found = bytes.chunks(read_bytes).filter(|chunk| tracker.follow(chunk)).count();
            let expected = frames.iter().filter(|(frame_type, _)| *frame_type == GOAWAY).count();
            prop_assert_eq!(found > 0, expected > 0);
        }
    }
}
