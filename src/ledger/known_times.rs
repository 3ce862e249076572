//! [`KnownTimes`]: the entries of a target in memory. A push compares each record with these
//! entries.

use std::path::Path;

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

    /// The times of the entries whose tokens were neither compared nor marked as found.
    pub(crate) fn missing_times(&self) -> impl Iterator<Item = u32> {
        let is_missing = |index: usize| self.found[index / 64] & (1 << (index % 64)) == 0;
        let missing = (0..self.entries.len()).filter(move |index| is_missing(*index));
        missing.map(|index| self.entries[index].expire_time)
    }

    pub(crate) fn mark_found(&mut self, token: &[u8]) {
        self.find_and_mark(token);
    }

    /// Returns the time that the server acknowledged last.
    pub(crate) fn last_time(&mut self, token: &[u8]) -> Option<u32> {
        Some(self.find_and_mark(token)?.expire_time)
    }

    pub(crate) fn compare(&mut self, token: &[u8], expire_time: u32) -> EntryStatus {
        let Some(entry) = self.find_and_mark(token) else {
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

    fn find_and_mark(&mut self, token: &[u8]) -> Option<LedgerEntry> {
        if self.is_empty() {
            return None;
        }
        let digest = self.digester.digest(token);
        let index = self.find(&digest)?;
        self.found[index / 64] |= 1 << (index % 64);
        Some(self.entries[index])
    }

    /// Returns the index of the entry.
    ///
    /// An interpolation search: the third and the fourth byte of the digest give the likely
    /// position of the entry among the entries with the same prefix. A binary search would read
    /// three memory locations that are in no CPU cache, and each of these reads takes longer than
    /// the computation of the digest.
    fn find(&self, digest: &Digest) -> Option<usize> {
        let start = self.prefix_starts[prefix(digest)];
        let entries = &self.entries[start..self.prefix_starts[prefix(digest) + 1]];
        let next_bytes = usize::from(u16::from_be_bytes([digest[2], digest[3]]));
        let guess = (entries.len() * next_bytes) >> u16::BITS;
        let before_guess = entries[..guess].iter().rev();
        let too_far = before_guess
            .take_while(|entry| entry.digest >= *digest)
            .count();
        let not_before = entries[guess - too_far..]
            .iter()
            .position(|entry| entry.digest >= *digest)?;
        let index = guess - too_far + not_before;
        (entries[index].digest == *digest).then_some(start + index)
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
            assert_eq!(known.compare(token, time), expected);
            let changed = EntryStatus::Changed { previous: time };
            assert_eq!(known.compare(token, time + 1), changed);
        }
        assert_eq!(known.compare(b"unknown token", 1), EntryStatus::New);
        assert_eq!(known.missing_times().count(), 0);
        assert_eq!(known.unconfirmed.len(), 1001);
        assert_eq!(KnownTimes::empty().compare(b"any", 1), EntryStatus::New);
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
        let mut known = KnownTimes::new(digester, entries);
        let missing = |known: &KnownTimes| {
            let mut times: Vec<_> = known.missing_times().collect();
            times.sort_unstable();
            times
        };
        assert_eq!(missing(&known), (0..130).collect::<Vec<_>>());
        for (time, token) in (0..).zip(&tokens) {
            match time % 3 {
                0 => known.mark_found(token),
                1 => drop(known.compare(token, time + time % 2)),
                _ => {}
            }
        }
        known.mark_found(b"unknown token");
        let expected: Vec<_> = (0..130).filter(|time| time % 3 == 2).collect();
        assert_eq!(missing(&known), expected);
    }
}
