//! [`LedgerEntry`]: the acknowledged expiration time of one token, which a segment stores in 20 bytes.
//! Tokens are credentials, so an entry contains the digest of the token.

use aws_lc_rs::digest::{SHA256, digest};

pub(super) const DIGEST_BYTES: usize = 16;

/// The first 16 bytes of SHA-256 over the salt of the ledger and the token.
///
/// The probability that any two of 2³² tokens have the same digest is 2⁻⁶⁵. An attacker would gain
/// nothing from two tokens with the same digest.
pub(crate) type Digest = [u8; DIGEST_BYTES];

#[derive(Clone, Debug)]
pub(crate) struct TokenDigester {
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

    pub(crate) fn digest(&mut self, token: &[u8]) -> Digest {
        self.buffer.truncate(self.salt_bytes);
        self.buffer.extend_from_slice(token);
        let mut first_bytes = [0; DIGEST_BYTES];
        first_bytes.copy_from_slice(&digest(&SHA256, &self.buffer).as_ref()[..DIGEST_BYTES]);
        first_bytes
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LedgerEntry {
    pub(super) digest: Digest,
    /// The expiration time that was acknowledged last, in Unix seconds.
    pub(super) expire_time: u32,
    /// Whether the server is known to have `expire_time`, because no different expiration time was
    /// sent since the acknowledgment.
    pub(super) is_confirmed: bool,
}

/// The size of an entry in a segment, in bytes: the digest, then the expiration time as a
/// big-endian integer.
pub(super) const ENTRY_BYTES: usize = DIGEST_BYTES + size_of::<u32>();

pub(super) fn encode_entries<'e>(entries: impl Iterator<Item = &'e LedgerEntry>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(&entry.digest);
        bytes.extend_from_slice(&entry.expire_time.to_be_bytes());
    }
    bytes
}

/// Decodes the bytes of a segment. The entries of a segment are all confirmed or all unconfirmed,
/// so a column of the segment's row stores `is_confirmed` for all entries.
pub(super) fn decode_entries(
    bytes: &[u8],
    is_confirmed: bool,
) -> impl Iterator<Item = LedgerEntry> {
    bytes.chunks_exact(ENTRY_BYTES).filter_map(move |entry| {
        let (digest, expire_time) = entry.split_first_chunk::<DIGEST_BYTES>()?;
        Some(LedgerEntry {
            digest: *digest,
            expire_time: u32::from_be_bytes(expire_time.try_into().ok()?),
            is_confirmed,
        })
    })
}

/// Sorts entries by digest. If several entries have the same digest, only the last entry is kept.
pub(super) fn deduplicate(entries: &mut Vec<LedgerEntry>) {
    if entries.is_sorted_by(|one, next| one.digest < next.digest) {
        return;
    }
    // `dedup_by_key` keeps the first entry of each digest, but the last entry must be kept.
    // Therefore the order is reversed before the sort, which is stable.
    entries.reverse();
    entries.sort_by_key(|entry| entry.digest);
    entries.dedup_by_key(|entry| entry.digest);
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

    fn entry(first_byte: u8, expire_time: u32) -> LedgerEntry {
        let mut digest = [0; DIGEST_BYTES];
        digest[0] = first_byte;
        LedgerEntry {
            digest,
            expire_time,
            is_confirmed: true,
        }
    }

    #[test]
    fn deduplicate_keeps_the_last_entry_of_each_digest() {
        let mut entries = vec![
            entry(3, 1),
            entry(1, 2),
            entry(3, 3),
            entry(2, 4),
            entry(1, 5),
            entry(3, 6),
        ];
        deduplicate(&mut entries);
        assert_eq!(entries, [entry(1, 5), entry(2, 4), entry(3, 6)]);
    }

    #[test]
    fn decodes_encoded_entries() {
        let entries = [entry(1, 5), entry(2, 4), entry(3, 6)];
        let decoded: Vec<_> = decode_entries(&encode_entries(entries.iter()), true).collect();
        assert_eq!(decoded, entries);
    }
}
