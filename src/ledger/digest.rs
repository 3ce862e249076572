//! Digests of tokens. A ledger contains digests instead of tokens, because tokens are credentials.

use aws_lc_rs::digest::{SHA256, digest};

pub(super) const DIGEST_BYTES: usize = 16;

/// The first 16 bytes of SHA-256 over the salt of the ledger and the token.
///
/// The probability that any two of 2³² tokens have the same digest is 2⁻⁶⁵. An attacker would gain
/// nothing from two tokens with the same digest.
pub(super) type Digest = [u8; DIGEST_BYTES];

/// Computes the digests of tokens.
#[derive(Clone, Debug)]
pub(super) struct TokenDigester {
    /// The salt, followed by the token that was digested last.
    buffer: Vec<u8>,
    salt_bytes: usize,
}

impl TokenDigester {
    pub(super) fn new(salt: &[u8]) -> Self {
        Self {
            buffer: salt.to_vec(),
            salt_bytes: salt.len(),
        }
    }

    pub(super) fn digest(&mut self, token: &[u8]) -> Digest {
        self.buffer.truncate(self.salt_bytes);
        self.buffer.extend_from_slice(token);
        let mut first_bytes = [0; DIGEST_BYTES];
        first_bytes.copy_from_slice(&digest(&SHA256, &self.buffer).as_ref()[..DIGEST_BYTES]);
        first_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_the_start_of_sha256_over_salt_and_token() {
        // The expected digest was computed with a different implementation of SHA-256.
        assert_eq!(
            data_encoding::HEXLOWER.encode(&TokenDigester::new(b"salt").digest(b"token")),
            "6c71317dc482e04bde8aac8d2120657e"
        );
    }
}
