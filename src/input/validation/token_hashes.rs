//! The hashes of all tokens, with 8 bytes of memory per record, in buckets that two threads can
//! sort. Tokens that occur more than once have a hash that occurs more than once.

use std::{
    hash::{BuildHasher, RandomState},
    mem, panic, thread,
};

use twox_hash::XxHash3_64;

use crate::record::Record;

/// The number is small, so that the ends of all buckets stay in the processor's cache.
const BUCKET_COUNT: usize = 32;

type Bucket = Vec<u64>;
type Buckets = Box<[Bucket; BUCKET_COUNT]>;

#[derive(Debug)]
pub(in crate::input) struct TokenHashes {
    seed: u64,
    buckets: Buckets,
    other_buckets: Vec<Buckets>,
}

/// The hashes that occur more than once, in ascending order.
pub(super) struct RepeatedHashes {
    pub(super) seed: u64,
    pub(super) hashes: Vec<u64>,
}

/// The seed is random, so that nobody can construct many tokens with equal hashes.
pub(super) fn hash_of(token: &[u8], seed: u64) -> u64 {
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

    pub(super) fn into_repeated(self) -> RepeatedHashes {
        // If only one thread has read the inputs, a second thread would not save time.
        let is_large = !self.other_buckets.is_empty();
        let mut low = vec![Vec::new(); BUCKET_COUNT];
        for buckets in std::iter::once(self.buckets).chain(self.other_buckets) {
            for (parts, part) in low.iter_mut().zip(*buckets) {
                parts.push(part);
            }
        }
        let mut high = low.split_off(BUCKET_COUNT / 2);
        let (mut hashes, high_hashes) = thread::scope(|threads| {
            let take_high = || take_repeated(&mut high);
            let started = is_large.then(|| thread::Builder::new().spawn_scoped(threads, take_high));
            let started = started.and_then(Result::ok);
            let hashes = take_repeated(&mut low);
            (hashes, started.map(thread::ScopedJoinHandle::join))
        });
        hashes.extend(match high_hashes {
            Some(joined) => joined.unwrap_or_else(|panic| panic::resume_unwind(panic)),
            // No second thread was started.
            None => take_repeated(&mut high),
        });
        RepeatedHashes {
            seed: self.seed,
            hashes,
        }
    }
}

/// Each bucket is in several parts, one for each thread that has read the inputs. Only one bucket is
/// in memory twice at a time.
fn take_repeated(buckets: &mut [Vec<Bucket>]) -> Vec<u64> {
    let mut repeated = Vec::new();
    for parts in buckets {
        let mut parts = mem::take(parts).into_iter();
        let mut bucket = parts.next().unwrap_or_default();
        for part in parts {
            bucket.extend_from_slice(&part);
        }
        bucket.sort_unstable();
        let groups = bucket.chunk_by(|left, right| left == right);
        repeated.extend(groups.filter(|group| group.len() > 1).map(|group| group[0]));
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ExpireTime, Token, TokenEncoding};

    #[test]
    fn finds_each_repeated_hash_once() {
        let mut hashes = TokenHashes::default();
        let mut others = hashes.empty_with_same_seed();
        for (index, text) in ["a", "b", "a", "c", "c", "c", "d", "b"]
            .into_iter()
            .enumerate()
        {
            let token = Token::parse(text.as_bytes().into(), TokenEncoding::Utf8);
            let record = Record {
                token: token.expect("a token"),
                expire_time: ExpireTime::UNUSED,
            };
            if index < 4 {
                hashes.add(&record);
            } else {
                others.add(&record);
            }
        }
        hashes.add_all(others);
        let seed = hashes.seed;
        let mut expected = [&b"a"[..], b"b", b"c"].map(|token| hash_of(token, seed));
        expected.sort_unstable();
        assert_eq!(hashes.into_repeated().hashes, expected);
    }
}
