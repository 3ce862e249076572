//! Detection of tokens that occur more than once, in a second pass over the records whose hash occurs
//! more than once. The 64-bit hash and a check of 32 bits, which has a random key of its own, stand
//! for a token: that two of ten million different tokens agree in both has a probability below 1 to
//! 10^15. So the memory does not depend on the lengths of the tokens, and one pass is enough.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    mem,
    ops::Range,
};

use super::{
    expirations::ExpirationCounts,
    record_set::RecordSet,
    token_hashes::{RepeatedHashes, hash_of},
};
use crate::record::{ExpireTime, Record};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DuplicatePolicy {
    #[default]
    Error,
    First,
    Last,
    Latest,
}

/// Many records are looked up at once, because the processor then waits for the memory of several
/// records at the same time.
const BATCH_RECORDS: usize = 1024;

/// The start of each range of hashes fits into the processor's cache.
const MAX_PREFIX_BITS: u32 = 19;

pub(super) struct DuplicateFinder {
    policy: DuplicatePolicy,
    seed: u64,
    check_key: RandomState,
    repeated: SortedHashes,
    /// For each repeated hash, the record that is sent.
    kept: Vec<KeptRecord>,
    /// The records of further tokens with the same hash, by hash and check.
    kept_others: HashMap<(u64, u32), KeptRecord>,
    batch: Vec<HashedRecord>,
    max_conflicts: usize,
    found: Duplicates,
}

/// Records that are not sent because of another record with the same token.
#[derive(Default)]
pub(super) struct Duplicates {
    pub(super) skipped: RecordSet,
    pub(super) duplicate_count: u64,
    pub(super) conflict_count: u64,
    /// The first conflicts, in the order of the input.
    pub(super) conflicts: Vec<Conflict>,
    /// The times of the skipped records that have the time of the record that is sent.
    pub(super) equal_times: ExpirationCounts,
    pub(super) other_times: ExpirationCounts,
}

pub(super) struct Conflict {
    pub(super) index: usize,
    pub(super) first_index: usize,
}

struct HashedRecord {
    hash: u64,
    check: u32,
    expire_time: ExpireTime,
    index: usize,
}

#[derive(Clone, Copy)]
struct KeptRecord {
    check: u32,
    expire_time: ExpireTime,
    index: usize,
}

impl KeptRecord {
    const NONE: Self = Self {
        check: 0,
        expire_time: ExpireTime::UNUSED,
        index: usize::MAX,
    };

    fn is_none(self) -> bool {
        self.index == usize::MAX
    }
}

/// Hashes in ascending order, with the start of the range for each value of their first bits.
struct SortedHashes {
    hashes: Vec<u64>,
    starts: Vec<usize>,
    shift: u32,
}

impl SortedHashes {
    fn new(hashes: Vec<u64>) -> Self {
        // With few hashes, most ranges are empty, so most other hashes are not searched for.
        let prefix_bits = (hashes.len().max(1).ilog2() + 3).min(MAX_PREFIX_BITS);
        let shift = u64::BITS - prefix_bits;
        let mut starts = vec![0; (1 << prefix_bits) + 1];
        for hash in &hashes {
            starts[prefix_of(*hash, shift) + 1] += 1;
        }
        for prefix in 1..starts.len() {
            starts[prefix] += starts[prefix - 1];
        }
        Self {
            hashes,
            starts,
            shift,
        }
    }

    fn range(&self, hash: u64) -> Range<usize> {
        let prefix = prefix_of(hash, self.shift);
        self.starts[prefix]..self.starts[prefix + 1]
    }

    fn find(&self, hash: u64) -> Option<usize> {
        let range = self.range(hash);
        let found = self.hashes[range.clone()].binary_search(&hash);
        found.ok().map(|index| range.start + index)
    }
}

fn prefix_of(hash: u64, shift: u32) -> usize {
    usize::try_from(hash >> shift).unwrap_or(usize::MAX)
}

impl DuplicateFinder {
    pub(super) fn new(
        repeated: RepeatedHashes,
        policy: DuplicatePolicy,
        max_conflicts: usize,
        now: u64,
    ) -> Self {
        let RepeatedHashes { seed, hashes } = repeated;
        Self {
            policy,
            seed,
            check_key: RandomState::new(),
            kept: vec![KeptRecord::NONE; hashes.len()],
            repeated: SortedHashes::new(hashes),
            kept_others: HashMap::new(),
            batch: Vec::with_capacity(BATCH_RECORDS),
            max_conflicts,
            found: Duplicates {
                equal_times: ExpirationCounts::at(now),
                other_times: ExpirationCounts::at(now),
                ..Duplicates::default()
            },
        }
    }

    /// Records must be added in the order of the input.
    pub(super) fn add(&mut self, record: &Record<'_>, index: usize) {
        let token = record.token.as_bytes();
        let hash = hash_of(token, self.seed);
        if self.repeated.range(hash).is_empty() {
            return;
        }
        let check = self.check_key.hash_one(token).to_be_bytes();
        self.batch.push(HashedRecord {
            hash,
            check: u32::from_be_bytes([check[0], check[1], check[2], check[3]]),
            expire_time: record.expire_time,
            index,
        });
        if self.batch.len() == BATCH_RECORDS {
            self.look_up_batch();
        }
    }

    pub(super) fn finish(mut self) -> Duplicates {
        self.look_up_batch();
        self.found
    }

    fn look_up_batch(&mut self) {
        let mut batch = mem::take(&mut self.batch);
        for record in batch.drain(..) {
            let Some(at) = self.repeated.find(record.hash) else {
                continue;
            };
            let this = KeptRecord {
                check: record.check,
                expire_time: record.expire_time,
                index: record.index,
            };
            let kept = &mut self.kept[at];
            let kept = if kept.is_none() || kept.check == record.check {
                kept
            } else {
                let key = (record.hash, record.check);
                self.kept_others.entry(key).or_insert(KeptRecord::NONE)
            };
            if kept.is_none() {
                *kept = this;
            } else {
                self.found
                    .compare(kept, this, self.policy, self.max_conflicts);
            }
        }
        self.batch = batch;
    }
}

impl Duplicates {
    fn compare(
        &mut self,
        kept: &mut KeptRecord,
        this: KeptRecord,
        policy: DuplicatePolicy,
        max_conflicts: usize,
    ) {
        let has_equal_times = kept.expire_time == this.expire_time;
        let replaces_kept = match policy {
            DuplicatePolicy::Error | DuplicatePolicy::First => false,
            DuplicatePolicy::Last => true,
            DuplicatePolicy::Latest => this.expire_time > kept.expire_time,
        };
        let skipped = if replaces_kept {
            mem::replace(kept, this)
        } else {
            this
        };
        self.skipped.insert(skipped.index);
        if has_equal_times {
            self.equal_times.add(skipped.expire_time);
        } else {
            self.other_times.add(skipped.expire_time);
        }
        if has_equal_times || policy != DuplicatePolicy::Error {
            self.duplicate_count += 1;
            return;
        }
        self.conflict_count += 1;
        if self.conflicts.len() < max_conflicts {
            self.conflicts.push(Conflict {
                index: this.index,
                first_index: kept.index,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Token, TokenEncoding};

    fn record(token: &str, time: u32) -> Record<'_> {
        Record {
            token: Token::parse(token.as_bytes().into(), TokenEncoding::Utf8).expect("a token"),
            expire_time: ExpireTime::from_unix(time),
        }
    }

    /// Returns a finder for the hashes of all tokens, as if each token had occurred twice.
    fn finder(tokens: &[&str], policy: DuplicatePolicy) -> DuplicateFinder {
        let seed = 7;
        let mut hashes: Vec<u64> = tokens
            .iter()
            .map(|token| hash_of(token.as_bytes(), seed))
            .collect();
        hashes.sort_unstable();
        DuplicateFinder::new(RepeatedHashes { seed, hashes }, policy, 1, 0)
    }

    fn skipped(found: &Duplicates, count: usize) -> Vec<usize> {
        let indices = 0..count;
        indices
            .filter(|index| found.skipped.contains(*index))
            .collect()
    }

    #[test]
    fn keeps_different_tokens_with_repeated_hashes() {
        let mut finder = finder(&["a", "b"], DuplicatePolicy::Error);
        for (index, token) in ["a", "b", "c", "c", "a"].into_iter().enumerate() {
            finder.add(&record(token, 1), index);
        }
        let found = finder.finish();
        assert_eq!(skipped(&found, 5), [4]);
        assert_eq!(found.duplicate_count, 1);
    }

    #[test]
    fn keeps_different_tokens_with_the_same_hash() {
        let mut finder = finder(&["a"], DuplicatePolicy::Error);
        let hash = hash_of(b"a", finder.seed);
        for (index, check) in [1, 2, 3, 2, 1, 3, 4].into_iter().enumerate() {
            finder.batch.push(HashedRecord {
                hash,
                check,
                expire_time: ExpireTime::from_unix(5),
                index,
            });
        }
        assert_eq!(skipped(&finder.finish(), 7), [3, 4, 5]);
    }

    #[test]
    fn keeps_the_record_that_the_policy_names() {
        let times = [5, 3, 9, 9, 3];
        for (policy, kept) in [
            (DuplicatePolicy::First, 0),
            (DuplicatePolicy::Last, 4),
            (DuplicatePolicy::Latest, 2),
        ] {
            let mut finder = finder(&["a"], policy);
            for (index, time) in times.into_iter().enumerate() {
                finder.add(&record("a", time), index);
            }
            let found = finder.finish();
            let mut left: Vec<_> = (0..times.len()).collect();
            left.retain(|index| !found.skipped.contains(*index));
            assert_eq!(left, [kept], "{policy:?}");
            assert_eq!(found.duplicate_count, 4);
        }
    }

    #[test]
    fn counts_all_conflicts_and_names_the_first() {
        let mut finder = finder(&["a"], DuplicatePolicy::Error);
        for (index, time) in [5, 5, 6, 7, 5].into_iter().enumerate() {
            finder.add(&record("a", time), index);
        }
        let found = finder.finish();
        let conflicts: Vec<_> = found
            .conflicts
            .iter()
            .map(|conflict| [conflict.index, conflict.first_index])
            .collect();
        assert_eq!(conflicts, [[2, 0]]);
        assert_eq!((found.conflict_count, found.duplicate_count), (2, 2));
        assert_eq!(skipped(&found, 5), [1, 2, 3, 4]);
    }
}
