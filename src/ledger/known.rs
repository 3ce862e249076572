//! What a target has acknowledged, held for fast look-ups.

use aws_lc_rs::digest::{SHA256, digest};

/// The first 16 bytes of a SHA-256. By chance two of 2^32 tokens share one in one of 2^65 ledgers,
/// and nobody gains from making them do so.
pub(super) type Digest = [u8; DIGEST];

const DIGEST: usize = 16;

/// What is known of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) digest: Digest,
    /// The time that was acknowledged last.
    pub(super) time: u32,
    /// Whether the server has it still, as far as is known: not if another was sent since.
    pub(super) is_sure: bool,
}

/// A row in a segment: the digest, then the time, big-endian.
pub(super) const ROW: usize = DIGEST + size_of::<u32>();

/// Makes digests of tokens: SHA-256 over the ledger's own random salt and the token.
#[derive(Clone, Debug)]
pub(super) struct Digester {
    /// The salt, and behind it room for the token.
    buffer: Vec<u8>,
    salt: usize,
}

impl Digester {
    pub(super) fn new(salt: &[u8]) -> Self {
        Self {
            buffer: salt.to_vec(),
            salt: salt.len(),
        }
    }

    pub(super) fn digest(&mut self, token: &[u8]) -> Digest {
        self.buffer.truncate(self.salt);
        self.buffer.extend_from_slice(token);
        let mut first = [0; DIGEST];
        first.copy_from_slice(&digest(&SHA256, &self.buffer).as_ref()[..DIGEST]);
        first
    }
}

/// Rows as a segment's bytes.
pub(super) fn pack(rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * ROW);
    for row in rows {
        bytes.extend_from_slice(&row.digest);
        bytes.extend_from_slice(&row.time.to_be_bytes());
    }
    bytes
}

/// The rows in a segment's bytes.
pub(super) fn unpack(bytes: &[u8], is_sure: bool) -> impl Iterator<Item = Row> {
    bytes.chunks_exact(ROW).filter_map(move |row| {
        let (digest, time) = row.split_first_chunk::<DIGEST>()?;
        Some(Row {
            digest: *digest,
            time: u32::from_be_bytes(time.try_into().ok()?),
            is_sure,
        })
    })
}

/// Sorts rows; of several with one digest the last counts.
pub(super) fn settle(rows: &mut Vec<Row>) {
    if rows.is_sorted_by(|one, next| one.digest < next.digest) {
        return;
    }
    // The last one first, which is the one that is kept.
    rows.reverse();
    rows.sort_by_key(|row| row.digest);
    rows.dedup_by_key(|row| row.digest);
}

/// The times that a target has acknowledged, by token.
#[derive(Debug)]
pub(crate) struct KnownTimes {
    digester: Digester,
    /// In the order of their digests.
    rows: Vec<Row>,
    /// Where the digests with each first two bytes start, and the end: digests are spread evenly,
    /// so that few are left to be searched.
    starts: Vec<usize>,
    doubts: Vec<Row>,
}

const PREFIXES: usize = 1 << 16;

fn prefix(digest: &Digest) -> usize {
    usize::from(u16::from_be_bytes([digest[0], digest[1]]))
}

impl KnownTimes {
    pub(crate) fn nothing() -> Self {
        Self::new(Digester::new(&[]), Vec::new())
    }

    /// Takes rows that are settled.
    pub(super) fn new(digester: Digester, rows: Vec<Row>) -> Self {
        let mut starts = vec![0; PREFIXES + 1];
        for row in &rows {
            starts[prefix(&row.digest) + 1] += 1;
        }
        for index in 0..PREFIXES {
            starts[index + 1] += starts[index];
        }
        Self {
            digester,
            rows,
            starts,
            doubts: Vec::new(),
        }
    }

    /// Whether nothing was ever acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Compares a record with what is known of its token.
    pub(crate) fn compare(&mut self, token: &[u8], time: u32) -> Comparison {
        if self.is_empty() {
            return Comparison::New;
        }
        let digest = self.digester.digest(token);
        let Some(row) = self.find(&digest) else {
            return Comparison::New;
        };
        if row.time == time && row.is_sure {
            return Comparison::Unchanged;
        }
        self.doubts.push(Row {
            is_sure: false,
            ..row
        });
        if row.time == time {
            Comparison::Unconfirmed
        } else {
            Comparison::Changed { previous: row.time }
        }
    }

    /// Looks where the digest's next bytes say that it stands, and from there on. A binary search
    /// would look at three places, each of which costs more than the digest: they are in no cache.
    fn find(&self, digest: &Digest) -> Option<Row> {
        let range = self.starts[prefix(digest)]..self.starts[prefix(digest) + 1];
        let rows = &self.rows[range];
        let next = usize::from(u16::from_be_bytes([digest[2], digest[3]]));
        let guess = (rows.len() * next) >> u16::BITS;
        let not_before = rows[..guess].iter().rev();
        let start = guess - not_before.take_while(|row| row.digest >= *digest).count();
        let row = rows[start..].iter().find(|row| row.digest >= *digest)?;
        (row.digest == *digest).then_some(*row)
    }

    /// What is no longer sure once what was compared and found changed is sent.
    pub(super) fn doubts(&self) -> &[Row] {
        &self.doubts
    }
}

/// What a record is to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    New,
    /// The server has acknowledged this very record.
    Unchanged,
    /// So it has, but something else was sent since, and may have arrived.
    Unconfirmed,
    Changed {
        previous: u32,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_time_of_each_digest_counts() {
        let row = |first: u8, time| {
            let mut digest = [0; DIGEST];
            digest[0] = first;
            Row {
                digest,
                time,
                is_sure: true,
            }
        };
        let mut rows = vec![
            row(3, 1),
            row(1, 2),
            row(3, 3),
            row(2, 4),
            row(1, 5),
            row(3, 6),
        ];
        settle(&mut rows);
        assert_eq!(rows, [row(1, 5), row(2, 4), row(3, 6)]);
        assert_eq!(unpack(&pack(&rows), true).collect::<Vec<_>>(), rows);
    }

    proptest! {
        /// However unevenly digests are spread.
        #[test]
        fn digests_that_begin_alike_are_found(
            nexts in proptest::collection::btree_set(any::<[u8; 3]>(), 0..40), other: [u8; 3]
        ) {
            let row = |next: &[u8; 3]| {
                let mut digest = [1; DIGEST];
                digest[2..5].copy_from_slice(next);
                Row { digest, time: 1, is_sure: true }
            };
            let rows: Vec<_> = nexts.iter().map(row).collect();
            let known = KnownTimes::new(Digester::new(&[]), rows.clone());
            for row in rows {
                prop_assert_eq!(known.find(&row.digest), Some(row));
            }
            let found = known.find(&row(&other).digest).is_some();
            prop_assert_eq!(found, nexts.contains(&other));
        }
    }

    #[test]
    fn what_is_known_is_found_and_nothing_else() {
        let mut digester = Digester::new(b"salt");
        let tokens: Vec<_> = (0_u32..1000).map(u32::to_be_bytes).collect();
        let mut rows: Vec<_> = (0..)
            .zip(&tokens)
            .map(|(n, token)| Row {
                digest: digester.digest(token),
                time: n,
                is_sure: n != 7,
            })
            .collect();
        settle(&mut rows);
        let mut known = KnownTimes::new(digester, rows);
        for (number, token) in (0..).zip(&tokens) {
            let expected = if number == 7 {
                Comparison::Unconfirmed
            } else {
                Comparison::Unchanged
            };
            assert_eq!(known.compare(token, number), expected);
            let other = Comparison::Changed { previous: number };
            assert_eq!(known.compare(token, number + 1), other);
        }
        assert_eq!(known.compare(b"another", 1), Comparison::New);
        assert_eq!(known.doubts().len(), 1001);
        assert_eq!(KnownTimes::nothing().compare(b"any", 1), Comparison::New);
        // The digest is of the salt and the token: its first 16 bytes, by another implementation.
        let digest = Digester::new(b"salt").digest(b"token");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&digest),
            "6c71317dc482e04bde8aac8d2120657e"
        );
    }
}
