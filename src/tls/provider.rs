//! The cryptography provider and the application protocol of clients and servers.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The ALPN identifier of HTTP/2 over TLS (RFC 9113 section 3.2). gRPC uses no other protocol.
pub(crate) const HTTP2_PROTOCOL: &[u8] = b"h2";

pub(super) fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
