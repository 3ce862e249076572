//! HTTP/2 frames as bytes (RFC 9113), so a test can also send invalid frames.

use bytes::BytesMut;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn ends_stream(&self) -> bool {
        self.flags & END_STREAM != 0
    }

    pub(super) fn is_ack(&self) -> bool {
        self.flags & ACK != 0
    }
}

/// Removes the connection preface from the front of the received bytes. Returns false if the
/// preface is not complete yet.
pub(super) fn take_preface(bytes: &mut BytesMut) -> bool {
    if bytes.len() < PREFACE.len() {
        return false;
    }
    assert_eq!(bytes.split_to(PREFACE.len()), PREFACE);
    true
}

/// Removes a frame from the front of the received bytes. Returns `None` if the frame is not
/// complete yet.
pub(super) fn take_frame(bytes: &mut BytesMut) -> Option<Frame> {
    let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<9>()?;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if bytes.len() < 9 + length {
        return None;
    }
    let payload = bytes.split_to(9 + length).split_off(9).to_vec();
    Some(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes(stream),
        payload,
    })
}

/// Encodes a frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let header = [a, b, c, kind, flags];
    [&header[..], &stream.to_be_bytes(), payload].concat()
}

/// Encodes `RST_STREAM`.
pub(super) fn reset(stream: u32, reason: h2::Reason) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &u32::from(reason).to_be_bytes())
}

/// Encodes GOAWAY. `last_stream` is the last stream that was or may be processed.
pub(super) fn goaway(last_stream: u32, reason: h2::Reason) -> Vec<u8> {
    let reason = u32::from(reason).to_be_bytes();
    frame(GOAWAY, 0, 0, &[last_stream.to_be_bytes(), reason].concat())
}

/// Encodes the payload of a SETTINGS frame with `SETTINGS_MAX_CONCURRENT_STREAMS`.
pub(super) fn max_concurrent_streams(count: u32) -> Vec<u8> {
    [&3_u16.to_be_bytes()[..], &count.to_be_bytes()].concat()
}

/// Encodes `WINDOW_UPDATE` for the connection and for a stream, by `length` bytes each.
pub(super) fn window_updates(stream: u32, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).expect("short").to_be_bytes();
    let update = |stream| frame(WINDOW_UPDATE, 0, stream, &length);
    [update(0), update(stream)].concat()
}

/// Encodes a HEADERS frame with these fields.
pub(super) fn headers(stream: u32, fields: &[(String, Vec<u8>)], ends_stream: bool) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal field without indexing, with a new name (RFC 7541 section 6.2.2).
        block.push(0);
        push_string(name.as_bytes(), &mut block);
        push_string(value, &mut block);
    }
    let flags = END_HEADERS | if ends_stream { END_STREAM } else { 0 };
    frame(HEADERS, flags, stream, &block)
}

/// Appends a string literal that is not Huffman coded (RFC 7541 sections 5.1 and 5.2).
fn push_string(text: &[u8], block: &mut Vec<u8>) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).expect("short"));
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).expect("short") | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).expect("short"));
    }
    block.extend(text);
}
