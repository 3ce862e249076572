//! [`KnownTimes`]: the entries of a target in memory. A push compares each record with these
//! entries.

use std::{hint::black_box, path::Path};

use rusqlite::Connection;

use super::{
    entry::{Digest, LedgerEntry, TokenDigester},
    error::LedgerError,
    schema::{FORMAT, salt},
    segments,
    target::{TargetKey, find_target, last_address, load_targets},
};
use crate::database::DatabaseError;

#[derive(Debug)]
pub(crate) struct KnownTimes {
    /// The address of the last push to the target.
    pub(crate) last_address: Option<String>,
    digester: TokenDigester,
    /// Sorted by digest.
    entries: Vec<LedgerEntry>,
    /// For each prefix (the first two bytes of a digest), the index in `entries` where the entries
    /// with this prefix begin. The last element is the number of entries. Digests are evenly
    /// distributed, so few entries have the same prefix.
    prefix_starts: Vec<usize>,
    /// One bit for each entry: whether its token was found in the input.
    found: Vec<u64>,
    /// The entries that [`Self::compare`] found changed or unconfirmed, marked as unconfirmed. The
    /// ledger must contain them before the push sends new expiration times for their tokens.
    pub(super) unconfirmed: Vec<LedgerEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryStatus {
    New,
    /// The server has acknowledged the record's expiration time, and no different time was sent
    /// since then.
    Unchanged,
    /// The server has acknowledged the record's expiration time, but a different time was sent
    /// since then and may have been applied.
    Unconfirmed,
    /// The server has acknowledged a different expiration time.
    Changed {
        previous: u32,
    },
}

const PREFIXES: usize = 1 << 16;

fn prefix(digest: &Digest) -> usize {
    usize::from(u16::from_be_bytes([digest[0], digest[1]]))
}

impl KnownTimes {
    pub(crate) fn empty() -> Self {
        Self::new(TokenDigester::new(&[]), Vec::new())
    }

    pub(super) fn load(
        connection: &Connection,
        target_id: i64,
        digester: TokenDigester,
    ) -> Result<Self, LedgerError> {
        let entries = segments::load(connection, target_id)?;
        Ok(Self {
            last_address: last_address(connection, target_id)?,
            ..Self::new(digester, entries)
        })
    }

    /// `entries` must be sorted by digest, with one entry per digest.
    fn new(digester: TokenDigester, entries: Vec<LedgerEntry>) -> Self {
        let mut prefix_starts = vec![0; PREFIXES + 1];
        for entry in &entries {
            prefix_starts[prefix(&entry.digest) + 1] += 1;
        }
        for index in 0..PREFIXES {
            prefix_starts[index + 1] += prefix_starts[index];
        }
        Self {
            last_address: None,
            digester,
            found: vec![0; entries.len().div_ceil(64)],
            entries,
            prefix_starts,
            unconfirmed: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns a digester with the salt of the ledger, for [`Self::find_all`].
    pub(crate) fn digester(&self) -> TokenDigester {
        self.digester.clone()
    }

    /// The times of the entries whose tokens were not looked up.
    pub(crate) fn missing_times(&self) -> impl Iterator<Item = u32> {
        let is_missing = |index: usize| self.found[index / 64] & (1 << (index % 64)) == 0;
        let missing = (0..self.entries.len()).filter(move |index| is_missing(*index));
        missing.map(|index| self.entries[index].expire_time)
    }

    /// Returns the time that the server acknowledged last.
    pub(crate) fn last_time(&mut self, token: &[u8]) -> Option<u32> {
        let digest = self.digester.digest(token);
        Some(self.entries[self.find(&digest)?].expire_time)
    }

    /// Looks up tokens by their digests, and marks their entries as found.
    ///
    /// Most entries are in no CPU cache. Therefore one field of each likely entry is read first,
    /// without a dependency between the reads, so that the processor loads many entries at the same
    /// time.
    pub(crate) fn find_all(&mut self, digests: &[Digest]) -> Vec<Option<LedgerEntry>> {
        let likely = digests.iter().map(|digest| self.likely_index(digest));
        let likely = likely.filter_map(|index| self.entries.get(index));
        black_box(likely.fold(0, |bits, entry| bits ^ entry.expire_time));
        let found = digests.iter().map(|digest| {
            let index = self.find(digest)?;
            self.found[index / 64] |= 1 << (index % 64);
            Some(self.entries[index])
        });
        found.collect()
    }

    /// Compares the entry of a token, as [`Self::find_all`] returned it, with the time in the input.
    pub(crate) fn compare(&mut self, entry: Option<LedgerEntry>, expire_time: u32) -> EntryStatus {
        let Some(entry) = entry else {
            return EntryStatus::New;
        };
        if entry.expire_time == expire_time && entry.is_confirmed {
            return EntryStatus::Unchanged;
        }
        self.unconfirmed.push(LedgerEntry {
            is_confirmed: false,
            ..entry
        });
        if entry.expire_time == expire_time {
            EntryStatus::Unconfirmed
        } else {
            EntryStatus::Changed {
                previous: entry.expire_time,
            }
        }
    }

    /// Searches around the likely index, and returns the index of the entry.
    ///
    /// A binary search would read three memory locations that are in no CPU cache, and each of these
    /// reads takes longer than the computation of the digest.
    fn find(&self, digest: &Digest) -> Option<usize> {
        let likely = self.likely_index(digest);
        let [start, end] = self.prefix_range(digest);
        let too_far = self.entries[start..likely]
            .iter()
            .rev()
            .take_while(|entry| entry.digest >= *digest)
            .count();
        let first = likely - too_far;
        let not_before = self.entries[first..end]
            .iter()
            .position(|entry| entry.digest >= *digest)?;
        let index = first + not_before;
        (self.entries[index].digest == *digest).then_some(index)
    }

    /// Interpolates: the third and the fourth byte of the digest give the likely position of the
    /// entry among the entries with the same prefix.
    fn likely_index(&self, digest: &Digest) -> usize {
        let [start, end] = self.prefix_range(digest);
        let next_bytes = usize::from(u16::from_be_bytes([digest[2], digest[3]]));
        start + (((end - start) * next_bytes) >> u16::BITS)
    }

    /// Returns the start and the end of the entries with the prefix of the digest.
    fn prefix_range(&self, digest: &Digest) -> [usize; 2] {
        let prefix = prefix(digest);
        [self.prefix_starts[prefix], self.prefix_starts[prefix + 1]]
    }
}

/// Returns the expiration times that a target has acknowledged. Does not wait for a process that
/// writes to the ledger. If the ledger does not exist, returns no times.
pub(crate) fn read_known_times(path: &Path, target: &TargetKey) -> Result<KnownTimes, LedgerError> {
    let connection = match FORMAT.open_to_read(path) {
        Ok(Some(connection)) => connection,
        Ok(None) | Err(DatabaseError::Missing) => return Ok(KnownTimes::empty()),
        Err(error) => return Err(error.into()),
    };
    let digester = TokenDigester::new(&salt(&connection)?);
    match find_target(&connection, target)? {
        Some(target_id) => KnownTimes::load(&connection, target_id, digester),
        None => Ok(KnownTimes::empty()),
    }
}

/// The expiration times that a target has acknowledged.
pub(crate) struct TargetTimes {
    pub(crate) authority: String,
    pub(crate) method: String,
    pub(crate) known: KnownTimes,
}

/// Returns the targets of a ledger, sorted by authority and method.
pub(crate) fn load_known_times(path: &Path) -> Result<Vec<TargetTimes>, LedgerError> {
    let Some(connection) = FORMAT.open_to_read(path)? else {
        return Ok(Vec::new());
    };
    let digester = TokenDigester::new(&salt(&connection)?);
    let targets = load_targets(&connection)?.into_iter().map(|target| {
        Ok(TargetTimes {
            known: KnownTimes::load(&connection, target.id, digester.clone())?,
            authority: target.authority,
            method: target.method,
        })
    });
    targets.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::entry::{DIGEST_BYTES, deduplicate};

    proptest! {
        #[test]
        fn finds_digests_that_share_their_prefix(
            suffixes in proptest::collection::btree_set(any::<[u8; 3]>(), 0..40), other: [u8; 3]
        ) {
            let entry = |suffix: &[u8; 3]| {
                let mut digest = [1; DIGEST_BYTES];
                digest[2..5].copy_from_slice(suffix);
                LedgerEntry { digest, expire_time: 1, is_confirmed: true }
            };
            let entries: Vec<_> = suffixes.iter().map(entry).collect();
            let known = KnownTimes::new(TokenDigester::new(&[]), entries.clone());
            for (index, entry) in entries.into_iter().enumerate() {
                prop_assert_eq!(known.find(&entry.digest), Some(index));
            }
            let is_found = known.find(&entry(&other).digest).is_some();
            prop_assert_eq!(is_found, suffixes.contains(&other));
        }
    }

    fn compare(known: &mut KnownTimes, token: &[u8], expire_time: u32) -> EntryStatus {
        let digest = known.digester().digest(token);
        let entry = known.find_all(&[digest])[0];
        known.compare(entry, expire_time)
    }

    #[test]
    fn compares_records_with_their_entries() {
        const UNCONFIRMED: u32 = 7;
        let mut digester = TokenDigester::new(b"salt");
        let tokens: Vec<_> = (0_u32..1000).map(u32::to_be_bytes).collect();
        let mut entries: Vec<_> = (0..)
            .zip(&tokens)
            .map(|(time, token)| LedgerEntry {
                digest: digester.digest(token),
                expire_time: time,
                is_confirmed: time != UNCONFIRMED,
            })
            .collect();
        deduplicate(&mut entries);
        let mut known = KnownTimes::new(digester, entries);
        for (time, token) in (0..).zip(&tokens) {
            let expected = if time == UNCONFIRMED {
                EntryStatus::Unconfirmed
            } else {
                EntryStatus::Unchanged
            };
            assert_eq!(compare(&mut known, token, time), expected);
            let changed = EntryStatus::Changed { previous: time };
            assert_eq!(compare(&mut known, token, time + 1), changed);
        }
        assert_eq!(compare(&mut known, b"unknown token", 1), EntryStatus::New);
        assert_eq!(known.missing_times().count(), 0);
        assert_eq!(known.unconfirmed.len(), 1001);
        let status = compare(&mut KnownTimes::empty(), b"any", 1);
        assert_eq!(status, EntryStatus::New);
    }

    #[test]
    fn tokens_that_were_not_found_are_missing() {
        let mut digester = TokenDigester::new(b"salt");
        let tokens: Vec<_> = (0_u32..130).map(u32::to_be_bytes).collect();
        let entries = (0..).zip(&tokens).map(|(time, token)| LedgerEntry {
            digest: digester.digest(token),
            expire_time: time,
            is_confirmed: true,
        });
        let mut entries: Vec<_> = entries.collect();
        deduplicate(&mut entries);
        let mut known = KnownTimes::new(digester.clone(), entries);
        let missing = |known: &KnownTimes| {
            let mut times: Vec<_> = known.missing_times().collect();
            times.sort_unstable();
            times
        };
        assert_eq!(missing(&known), (0..130).collect::<Vec<_>>());
        for (time, token) in (0..).zip(&tokens) {
            match time % 3 {
                0 => drop(known.find_all(&[digester.digest(token)])),
                1 => drop(compare(&mut known, token, time + time % 2)),
                _ => {}
            }
        }
        assert_eq!(known.find_all(&[digester.digest(b"unknown token")]), [None]);
        let expected: Vec<_> = (0..130).filter(|time| time % 3 == 2).collect();
        assert_eq!(missing(&known), expected);
    }
}
