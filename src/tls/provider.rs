//! The cryptography that clients and servers use.

use std::sync::Arc;

use rustls::{
    CipherSuite,
    crypto::{CryptoProvider, aws_lc_rs},
};

/// Returns the cryptography of aws-lc-rs, preferring AES-128 to AES-256 as Go and browsers do.
///
/// Processors have instructions for SHA-256, which AES-128 is paired with, but not for SHA-384,
/// which took a tenth of the time of a one-record push.
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
