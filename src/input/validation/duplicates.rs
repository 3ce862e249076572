//! Exact detection of tokens that occur more than once, with 8 bytes of memory per record. The
//! first pass stores a 64-bit hash of each token, in buckets that two threads can sort. Further
//! passes compare the tokens with repeated hashes, a limited number of hashes each.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    panic, thread,
};

use twox_hash::XxHash3_64;

use super::super::position::{FilePosition, RecordLocation};
use crate::record::{ExpireTime, Record};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DuplicatePolicy {
    #[default]
    Error,
    First,
    Last,
    Latest,
}

/// The number is small, so that the ends of all buckets stay in the processor's cache.
const BUCKET_COUNT: usize = 32;

type Buckets = Box<[Vec<u64>; BUCKET_COUNT]>;

/// The number of repeated hashes that a further pass compares even if there are few records. Each
/// hash takes about 140 bytes of memory, plus the length of its token.
const MIN_HASHES_PER_PASS: usize = 1 << 17;

/// If there are very many records, each further pass compares only one repeated hash for every
/// `RECORDS_PER_HASH` records, which limits the memory. At most half as many hashes as records can
/// be repeated, so about five further passes are enough.
const RECORDS_PER_HASH: usize = 10;

#[derive(Debug)]
pub(in crate::input) struct TokenHashes {
    seed: u64,
    buckets: Buckets,
    other_buckets: Vec<Buckets>,
}

/// The seed is random, so that nobody can construct many tokens with equal hashes.
fn hash_of(token: &[u8], seed: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, token)
}

impl Default for TokenHashes {
    fn default() -> Self {
        Self {
            seed: RandomState::new().hash_one(()),
            buckets: Box::new([const { Vec::new() }; BUCKET_COUNT]),
            other_buckets: Vec::new(),
        }
    }
}

impl TokenHashes {
    pub(in crate::input) fn add(&mut self, record: &Record<'_>) {
        let hash = hash_of(record.token.as_bytes(), self.seed);
        let bucket = usize::from(hash.to_be_bytes()[0]) * BUCKET_COUNT / 256;
        self.buckets[bucket].push(hash);
    }

    pub(in crate::input) fn empty_with_same_seed(&self) -> Self {
        Self {
            seed: self.seed,
            ..Self::default()
        }
    }

    pub(in crate::input) fn add_all(&mut self, others: Self) {
        self.other_buckets.push(others.buckets);
        self.other_buckets.extend(others.other_buckets);
    }

    pub(in crate::input) fn into_repeated(mut self) -> RepeatedHashes {
        const HALF: usize = BUCKET_COUNT / 2;
        let records: usize = std::iter::once(&self.buckets)
            .chain(&self.other_buckets)
            .flat_map(|buckets| buckets.iter().map(Vec::len))
            .sum();
        let others = &self.other_buckets;
        let (low, high) = self.buckets.split_at_mut(HALF);
        // If only one thread has read the inputs, a second thread would not save time.
        let is_large = !others.is_empty();
        let (mut hashes, high_hashes) = thread::scope(|threads| {
            let take_high = || take_repeated(high, others, HALF);
            let high = is_large.then(|| thread::Builder::new().spawn_scoped(threads, take_high));
            let high = high.and_then(Result::ok);
            let low = take_repeated(low, others, 0);
            let join = |high: thread::ScopedJoinHandle<'_, _>| high.join();
            (low, high.map(join))
        });
        hashes.extend(match high_hashes {
            Some(joined) => joined.unwrap_or_else(|panic| panic::resume_unwind(panic)),
            // No second thread was started.
            None => take_repeated(high, others, HALF),
        });
        // A hash that occurs three times forms two pairs, so `hashes` contains the hash twice.
        hashes.dedup();
        RepeatedHashes {
            seed: self.seed,
            hashes,
            hashes_per_pass: MIN_HASHES_PER_PASS.max(records / RECORDS_PER_HASH),
        }
    }
}

/// `first_bucket` is the index of the first of `buckets` in the buckets of the other threads. Only
/// one bucket is in memory twice at a time.
fn take_repeated(buckets: &mut [Vec<u64>], others: &[Buckets], first_bucket: usize) -> Vec<u64> {
    let mut repeated = Vec::new();
    for (index, bucket) in buckets.iter_mut().enumerate() {
        let mut bucket = std::mem::take(bucket);
        for other in others {
            bucket.extend_from_slice(&other[first_bucket + index]);
        }
        bucket.sort_unstable();
        let pairs = bucket.windows(2).filter(|pair| pair[0] == pair[1]);
        repeated.extend(pairs.map(|pair| pair[0]));
    }
    repeated
}

/// The hashes that occur more than once, in ascending order.
#[derive(Debug)]
pub(in crate::input) struct RepeatedHashes {
    seed: u64,
    hashes: Vec<u64>,
    hashes_per_pass: usize,
}

impl RepeatedHashes {
    pub(in crate::input) fn comparisons(
        &self,
        policy: DuplicatePolicy,
    ) -> impl Iterator<Item = TokenComparer<'_>> {
        let ranges = self.hashes.chunks(self.hashes_per_pass);
        ranges.map(move |hashes| TokenComparer {
            seed: self.seed,
            hashes,
            policy,
            kept: HashMap::with_capacity(hashes.len()),
        })
    }
}

pub(in crate::input) struct TokenComparer<'h> {
    seed: u64,
    hashes: &'h [u64],
    policy: DuplicatePolicy,
    kept: HashMap<Box<[u8]>, KeptRecord>,
}

struct KeptRecord {
    position: FilePosition,
    expire_time: ExpireTime,
    index: usize,
}

#[derive(Debug)]
pub(in crate::input) enum DuplicateCheck {
    Unique,
    /// The record at `index`, which may be an earlier one, is not sent.
    Skip {
        index: usize,
    },
    Conflict {
        first: FilePosition,
    },
}

impl TokenComparer<'_> {
    pub(in crate::input) fn compare(
        &mut self,
        record: &Record<'_>,
        location: &RecordLocation<'_>,
    ) -> DuplicateCheck {
        let token = record.token.as_bytes();
        if self
            .hashes
            .binary_search(&hash_of(token, self.seed))
            .is_err()
        {
            return DuplicateCheck::Unique;
        }
        let this_record = || KeptRecord {
            position: location.to_file_position(),
            expire_time: record.expire_time,
            index: location.index,
        };
        let Some(kept) = self.kept.get_mut(token) else {
            self.kept.insert(token.into(), this_record());
            return DuplicateCheck::Unique;
        };
        let replaces_kept = match self.policy {
            DuplicatePolicy::Error if kept.expire_time != record.expire_time => {
                return DuplicateCheck::Conflict {
                    first: kept.position.clone(),
                };
            }
            DuplicatePolicy::Error | DuplicatePolicy::First => false,
            DuplicatePolicy::Last => true,
            DuplicatePolicy::Latest => record.expire_time > kept.expire_time,
        };
        let index = if replaces_kept {
            std::mem::replace(kept, this_record()).index
        } else {
            location.index
        };
        DuplicateCheck::Skip { index }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::{
        input::position::{InputLabel, Position},
        record::{Token, TokenEncoding},
    };

    fn record(token: &str, time: u32) -> Record<'_> {
        Record {
            token: Token::parse(token.as_bytes().into(), TokenEncoding::Utf8).expect("a token"),
            expire_time: ExpireTime::from_unix(time),
        }
    }

    fn compare(
        comparer: &mut TokenComparer<'_>,
        record: &Record<'_>,
        index: usize,
    ) -> DuplicateCheck {
        let input = InputLabel {
            index: 0,
            name: "a.csv".into(),
        };
        let position = Position {
            record: 1,
            line: 2,
            column: None,
        };
        let location = RecordLocation {
            input: &input,
            position,
            index,
        };
        comparer.compare(record, &location)
    }

    #[test]
    fn finds_each_repeated_hash_once() {
        let mut hashes = TokenHashes::default();
        for token in ["a", "b", "a", "c", "c", "c", "d"] {
            hashes.add(&record(token, 1));
        }
        let expected = {
            let mut expected = [&b"a"[..], b"c"].map(|token| hash_of(token, hashes.seed));
            expected.sort_unstable();
            expected
        };
        assert_eq!(hashes.into_repeated().hashes, expected);
    }

    /// Returns the hashes of all tokens, as if each token had occurred twice.
    fn repeated(tokens: &[&str]) -> RepeatedHashes {
        let seed = 7;
        let mut hashes: Vec<u64> = tokens
            .iter()
            .map(|token| hash_of(token.as_bytes(), seed))
            .collect();
        hashes.sort_unstable();
        RepeatedHashes {
            seed,
            hashes,
            hashes_per_pass: MIN_HASHES_PER_PASS,
        }
    }

    #[test]
    fn keeps_different_tokens_with_repeated_hashes() {
        let repeated = repeated(&["a", "b"]);
        let mut comparison = repeated
            .comparisons(DuplicatePolicy::Error)
            .next()
            .expect("one reading");
        for token in ["a", "b", "c", "c"] {
            let verdict = compare(&mut comparison, &record(token, 1), 0);
            assert!(matches!(verdict, DuplicateCheck::Unique), "{token}");
        }
        let again = compare(&mut comparison, &record("a", 1), 4);
        assert!(matches!(again, DuplicateCheck::Skip { index: 4 }));
    }

    #[test]
    fn keeps_the_record_that_the_policy_names() {
        let times = [5, 3, 9, 9, 3];
        for (policy, kept) in [
            (DuplicatePolicy::First, 0),
            (DuplicatePolicy::Last, 4),
            (DuplicatePolicy::Latest, 2),
        ] {
            let repeated = repeated(&["a"]);
            let mut comparison = repeated.comparisons(policy).next().expect("one reading");
            let mut left: Vec<_> = (0..times.len()).collect();
            for (index, time) in times.into_iter().enumerate() {
                let verdict = compare(&mut comparison, &record("a", time), index);
                if let DuplicateCheck::Skip { index } = verdict {
                    left.retain(|kept| *kept != index);
                }
            }
            assert_eq!(left, [kept], "{policy:?}");
        }
    }
}
