//! Entries: the acknowledged expire time of one token, and its 20 bytes in a segment.

use super::digest::{DIGEST_BYTES, Digest};

/// The expire time that a target acknowledged for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LedgerEntry {
    pub(super) digest: Digest,
    /// The time that was acknowledged last, in Unix seconds.
    pub(super) expire_time: u32,
    /// Whether the server still has this time as far as is known: no other time was sent since.
    pub(super) is_confirmed: bool,
}

/// The size of an entry in a segment: the digest, then the expire time, big-endian.
pub(super) const ENTRY_BYTES: usize = DIGEST_BYTES + size_of::<u32>();

/// Encodes entries as the bytes of a segment.
pub(super) fn encode_entries(entries: &[LedgerEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for entry in entries {
        bytes.extend_from_slice(&entry.digest);
        bytes.extend_from_slice(&entry.expire_time.to_be_bytes());
    }
    bytes
}

/// Decodes the bytes of a segment, whose entries are all confirmed or all unconfirmed.
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

/// Sorts entries by digest. Of several entries with the same digest, the last one is kept.
pub(super) fn deduplicate(entries: &mut Vec<LedgerEntry>) {
    if entries.is_sorted_by(|one, next| one.digest < next.digest) {
        return;
    }
    // The sort is stable, and `dedup_by_key` keeps the first entry: the last one before reversing.
    entries.reverse();
    entries.sort_by_key(|entry| entry.digest);
    entries.dedup_by_key(|entry| entry.digest);
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let decoded: Vec<_> = decode_entries(&encode_entries(&entries), true).collect();
        assert_eq!(decoded, entries);
    }
}
