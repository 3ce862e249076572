//! Application-layer protocol negotiation (ALPN, RFC 7301).

/// The ALPN identifier of HTTP/2 over TLS (RFC 9113 section 3.2). gRPC uses no other protocol.
pub(super) const HTTP2_PROTOCOL: &[u8] = b"h2";

/// Returns whether the negotiated protocol is HTTP/2.
pub(crate) fn is_http2(negotiated: Option<&[u8]>) -> bool {
    negotiated == Some(HTTP2_PROTOCOL)
}
