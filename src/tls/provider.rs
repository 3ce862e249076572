//! The cryptography provider and the application protocol of clients and servers.

use std::sync::Arc;

use rustls::{
    CipherSuite,
    crypto::{CryptoProvider, aws_lc_rs},
};

/// The ALPN identifier of HTTP/2 over TLS (RFC 9113 section 3.2). gRPC uses no other protocol.
pub(crate) const HTTP2_PROTOCOL: &[u8] = b"h2";

/// Returns the cryptography provider aws-lc-rs. AES-128 is preferred to AES-256, as in Go and
/// browsers.
///
/// TLS combines AES-128 with SHA-256, for which processors have instructions. TLS combines AES-256
/// with SHA-384, for which most processors have no instructions: in a push of one record, SHA-384
/// took a tenth of the time.
pub(super) fn crypto_provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    let aes_128 = provider
        .cipher_suites
        .iter()
        .position(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    if let Some(aes_128) = aes_128 {
        provider.cipher_suites[..=aes_128].rotate_right(1);
    }
    Arc::new(provider)
}
