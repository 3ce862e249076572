//! Detection of tokens that occur more than once, in a second pass over the records whose hash occurs
//! more than once. The 64-bit hash and a check of 32 bits, which has a random key of its own, stand
//! for a token: that two of ten million different tokens agree in both has a probability below 1 to
//! 10^15. So the memory does not depend on the lengths of the tokens, and one pass is enough.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    hint::black_box,
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

/// The number of records in a batch. Each step is one loop over the batch, so that the processor
/// waits for the memory of many records at the same time.
pub(super) const BATCH_RECORDS: usize = 1024;

const MAX_PREFIX_BITS: u32 = 20;

/// With more hashes, few ranges are empty, and the starts of the ranges leave the processor's cache.
const MAX_SPARSE_HASHES: usize = 1 << 14;

/// The repeated hashes in ascending order, with the start of the range for each value of their first
/// bits.
pub(super) struct RepeatedTokens {
    seed: u64,
    check_key: RandomState,
    hashes: Vec<u64>,
    starts: Vec<usize>,
    shift: u32,
}

/// The values of a record that the search for duplicates compares.
pub(super) struct HashedRecord {
    hash: u64,
    check: u32,
    expire_time: ExpireTime,
    index: usize,
}

pub(super) struct DuplicateFinder<'r> {
    repeated: &'r RepeatedTokens,
    policy: DuplicatePolicy,
    max_conflicts: usize,
    /// For each repeated hash, the record that is sent.
    kept: Vec<KeptRecord>,
    /// The records of further tokens with the same hash, by hash and check.
    kept_others: HashMap<(u64, u32), KeptRecord>,
    pub(super) found: Duplicates,
}

/// Records that are not sent because of another record with the same token.
#[derive(Default)]
pub(super) struct Duplicates {
    pub(super) skipped: RecordSet,
    pub(super) duplicate_count: u64,
    /// Whether a duplicate has another time than the record that is kept.
    pub(super) has_different_times: bool,
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

impl RepeatedTokens {
    pub(super) fn new(repeated: RepeatedHashes) -> Self {
        let RepeatedHashes { seed, hashes } = repeated;
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
            seed,
            check_key: RandomState::new(),
            hashes,
            starts,
            shift,
        }
    }

    pub(super) fn is_sparse(&self) -> bool {
        self.hashes.len() <= MAX_SPARSE_HASHES
    }

    /// Returns `None` if it is obvious that the hash of the token is not repeated.
    pub(super) fn hash(&self, record: &Record<'_>, index: usize) -> Option<HashedRecord> {
        let token = record.token.as_bytes();
        let hash = hash_of(token, self.seed);
        if self.is_sparse() && self.range(hash).is_empty() {
            return None;
        }
        let [a, b, c, d, ..] = self.check_key.hash_one(token).to_be_bytes();
        Some(HashedRecord {
            hash,
            check: u32::from_be_bytes([a, b, c, d]),
            expire_time: record.expire_time,
            index,
        })
    }

    fn range(&self, hash: u64) -> Range<usize> {
        let prefix = prefix_of(hash, self.shift);
        self.starts[prefix]..self.starts[prefix + 1]
    }

    fn find(&self, hash: u64, range: Range<usize>) -> Option<usize> {
        let start = range.start;
        let found = self.hashes[range].binary_search(&hash);
        found.ok().map(|index| start + index)
    }
}

fn prefix_of(hash: u64, shift: u32) -> usize {
    usize::try_from(hash >> shift).unwrap_or(usize::MAX)
}

impl<'r> DuplicateFinder<'r> {
    pub(super) fn new(
        repeated: &'r RepeatedTokens,
        policy: DuplicatePolicy,
        max_conflicts: usize,
        now: u64,
    ) -> Self {
        Self {
            repeated,
            policy,
            max_conflicts,
            kept: vec![KeptRecord::NONE; repeated.hashes.len()],
            kept_others: HashMap::new(),
            found: Duplicates {
                equal_times: ExpirationCounts::at(now),
                other_times: ExpirationCounts::at(now),
                ..Duplicates::default()
            },
        }
    }

    /// The records of all batches must be in the order of the input.
    pub(super) fn look_up(&mut self, batch: Vec<HashedRecord>) {
        let repeated = self.repeated;
        let ranges = batch.iter().map(|record| repeated.range(record.hash));
        let ranges: Vec<_> = ranges.collect();
        // Reading a value brings it into the processor's cache for the next loop.
        let ends = ranges.iter().flat_map(|range| [range.start, range.end]);
        let hashes = ends.filter_map(|index| repeated.hashes.get(index));
        black_box(hashes.fold(0, |sum, hash| sum ^ hash));
        let found = ranges.into_iter().zip(&batch);
        let found: Vec<_> = found
            .map(|(range, record)| repeated.find(record.hash, range))
            .collect();
        let kept = found.iter().flatten().map(|at| self.kept[*at].check);
        black_box(kept.fold(0, |sum, check| sum ^ check));
        for (record, at) in batch.into_iter().zip(found) {
            if let Some(at) = at {
                self.compare(&record, at);
            }
        }
    }

    fn compare(&mut self, record: &HashedRecord, at: usize) {
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
            self.has_different_times |= !has_equal_times;
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

    /// Returns the hashes of all tokens, as if each token had occurred twice.
    fn repeated(tokens: &[&str]) -> RepeatedTokens {
        let seed = 7;
        let hashes = tokens.iter().map(|token| hash_of(token.as_bytes(), seed));
        let mut hashes: Vec<_> = hashes.collect();
        hashes.sort_unstable();
        RepeatedTokens::new(RepeatedHashes { seed, hashes })
    }

    fn find(
        repeated: &RepeatedTokens,
        records: impl IntoIterator<Item = Record<'static>>,
        policy: DuplicatePolicy,
    ) -> Duplicates {
        let mut finder = DuplicateFinder::new(repeated, policy, 1, 0);
        for (index, record) in records.into_iter().enumerate() {
            finder.look_up(repeated.hash(&record, index).into_iter().collect());
        }
        finder.found
    }

    fn skipped(found: &Duplicates, count: usize) -> Vec<usize> {
        let indices = 0..count;
        indices
            .filter(|index| found.skipped.contains(*index))
            .collect()
    }

    #[test]
    fn keeps_different_tokens_with_repeated_hashes() {
        let records = ["a", "b", "c", "c", "a"].map(|token| record(token, 1));
        let found = find(&repeated(&["a", "b"]), records, DuplicatePolicy::Error);
        assert_eq!(skipped(&found, 5), [4]);
        assert_eq!(found.duplicate_count, 1);
    }

    #[test]
    fn keeps_different_tokens_with_the_same_hash() {
        let repeated = repeated(&["a"]);
        let batch = [1, 2, 3, 2, 1, 3, 4].into_iter().enumerate();
        let batch = batch.map(|(index, check)| HashedRecord {
            hash: repeated.hashes[0],
            check,
            expire_time: ExpireTime::from_unix(5),
            index,
        });
        let mut finder = DuplicateFinder::new(&repeated, DuplicatePolicy::Error, 1, 0);
        finder.look_up(batch.collect());
        assert_eq!(skipped(&finder.found, 7), [3, 4, 5]);
    }

    #[test]
    fn keeps_the_record_that_the_policy_names() {
        for (policy, kept) in [
            (DuplicatePolicy::First, 0),
            (DuplicatePolicy::Last, 4),
            (DuplicatePolicy::Latest, 2),
        ] {
            let records = [5, 3, 9, 9, 3].map(|time| record("a", time));
            let found = find(&repeated(&["a"]), records, policy);
            let mut left: Vec<_> = (0..5).collect();
            left.retain(|index| !found.skipped.contains(*index));
            assert_eq!(left, [kept], "{policy:?}");
            assert_eq!(found.duplicate_count, 4);
        }
    }

    #[test]
    fn counts_all_conflicts_and_names_the_first() {
        let records = [5, 5, 6, 7, 5].map(|time| record("a", time));
        let found = find(&repeated(&["a"]), records, DuplicatePolicy::Error);
        let conflicts = found.conflicts.iter();
        let conflicts: Vec<_> = conflicts
            .map(|conflict| [conflict.index, conflict.first_index])
            .collect();
        assert_eq!(conflicts, [[2, 0]]);
        assert_eq!((found.conflict_count, found.duplicate_count), (2, 2));
        assert_eq!(skipped(&found, 5), [1, 2, 3, 4]);
    }
}
