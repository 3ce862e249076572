//! Exact duplicates of tokens over a whole push, in bounded memory.
//!
//! The first reading keeps 8 bytes a record: a keyed hash of its token. Sorted, equal hashes stand
//! beside each other. Where there are none, no token came twice, because equal tokens have equal
//! hashes. Where there are some, they are suspects, by chance or in truth, and the input is read
//! again: this time the suspects' tokens are compared whole, a bounded number of different hashes
//! in each reading. So the verdict is exact, and only an input with very many duplicates is read
//! more often.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use super::problem::Position;
use crate::record::{ExpireTime, Record};

/// Hashes of one reading after the first.
const SUSPECTS_A_READING: usize = 1 << 18;

/// The hashes of all tokens, in the first reading.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    key: RandomState,
    hashes: Vec<u64>,
}

/// The hashes that came more than once, sorted.
#[derive(Debug)]
pub(super) struct Suspects {
    key: RandomState,
    hashes: Vec<u64>,
}

impl Hashes {
    pub(super) fn add(&mut self, record: &Record<'_>) {
        self.hashes.push(self.key.hash_one(record.token.as_bytes()));
    }

    pub(super) fn suspects(self) -> Suspects {
        let Self { key, mut hashes } = self;
        hashes.sort_unstable();
        let mut kept = 0;
        for index in 1..hashes.len() {
            let hash = hashes[index];
            if hash == hashes[index - 1] && (kept == 0 || hashes[kept - 1] != hash) {
                hashes[kept] = hash;
                kept += 1;
            }
        }
        hashes.truncate(kept);
        hashes.shrink_to_fit();
        Suspects { key, hashes }
    }
}

impl Suspects {
    /// What each further reading has to look for.
    pub(super) fn readings(&self) -> impl Iterator<Item = Comparison<'_>> {
        self.hashes
            .chunks(SUSPECTS_A_READING)
            .map(|hashes| Comparison {
                key: &self.key,
                hashes,
                seen: HashMap::new(),
            })
    }
}

/// One further reading's comparison of whole tokens.
pub(super) struct Comparison<'s> {
    key: &'s RandomState,
    hashes: &'s [u64],
    seen: HashMap<Box<[u8]>, First>,
}

/// Where a token came first, and with which time.
#[derive(Clone, Debug)]
pub(super) struct First {
    pub(super) file: Arc<str>,
    pub(super) at: Position,
    pub(super) expires: ExpireTime,
}

impl Comparison<'_> {
    /// The record before this one with the same token, if there is one.
    pub(super) fn earlier(
        &mut self,
        record: &Record<'_>,
        file: &Arc<str>,
        at: Position,
    ) -> Option<&First> {
        let token = record.token.as_bytes();
        let hash = self.key.hash_one(token);
        self.hashes.binary_search(&hash).ok()?;
        if !self.seen.contains_key(token) {
            let first = First {
                file: Arc::clone(file),
                at,
                expires: record.expires,
            };
            self.seen.insert(token.into(), first);
            return None;
        }
        self.seen.get(token)
    }
}

/// A set of records by their place among the valid ones.
#[derive(Debug, Default)]
pub(super) struct RecordSet(Vec<u64>);

impl RecordSet {
    pub(super) fn insert(&mut self, place: usize) {
        let word = place / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (place % 64);
    }

    pub(super) fn contains(&self, place: usize) -> bool {
        self.0
            .get(place / 64)
            .is_some_and(|word| word & (1 << (place % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::record::{Token, TokenEncoding};

    fn record(token: &str) -> Record<'_> {
        Record {
            token: Token::parse(Cow::Borrowed(token), TokenEncoding::Utf8).expect("a token"),
            expires: ExpireTime::from_unix(1),
        }
    }

    #[test]
    fn each_hash_that_came_more_than_once_is_one_suspect() {
        let mut hashes = Hashes::default();
        for token in ["a", "b", "a", "c", "c", "c", "d"] {
            hashes.add(&record(token));
        }
        let expected = {
            let mut expected = [&b"a"[..], b"c"].map(|token| hashes.key.hash_one(token));
            expected.sort_unstable();
            expected
        };
        assert_eq!(hashes.suspects().hashes, expected);
    }

    #[test]
    fn equal_hashes_of_different_tokens_are_no_duplicates() {
        let key = RandomState::new();
        // Every token is a suspect here, as if all had collided.
        let mut hashes: Vec<u64> = [&b"a"[..], b"b"].map(|token| key.hash_one(token)).into();
        hashes.sort_unstable();
        let suspects = Suspects { key, hashes };
        let mut comparison = suspects.readings().next().expect("one reading");
        let at = Position {
            record: 1,
            line: 2,
            column: None,
        };
        let file = Arc::from("a.csv");
        assert!(comparison.earlier(&record("a"), &file, at).is_none());
        assert!(comparison.earlier(&record("b"), &file, at).is_none());
        assert!(comparison.earlier(&record("c"), &file, at).is_none());
        assert!(comparison.earlier(&record("a"), &file, at).is_some());
    }
}
