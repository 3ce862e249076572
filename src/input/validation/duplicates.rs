//! Exact duplicates of tokens over a whole push, in bounded memory.
//!
//! The first reading keeps 8 bytes a record: a keyed hash of its token. Sorted, equal hashes stand
//! beside each other; they lie in buckets by their first bits, so that two threads can sort them.
//! Where there are none, no token came twice, because equal tokens have equal hashes. Where there
//! are some, they are suspects, by chance or in truth, and the input is read again: this time the
//! suspects' tokens are compared whole, a bounded number of different hashes in each reading. So
//! the verdict is exact, and only an input with very many duplicates is read more often.

use std::{
    hash::{BuildHasher, RandomState},
    panic,
    sync::Arc,
    thread,
};

use twox_hash::XxHash3_64;

use crate::input::problem::{Located, Position};
use crate::record::{ExpireTime, Record};

/// Which record counts when one token comes with different times. The very same record twice is
/// always one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DuplicatePolicy {
    /// None: that is an error.
    #[default]
    Error,
    First,
    Last,
    /// The one with the latest time.
    Latest,
}

/// Few enough for the processor to keep the place of each at hand.
const BUCKETS: usize = 32;

type Buckets = Box<[Vec<u64>; BUCKETS]>;

/// Different hashes that one further reading looks for: so many at least, and one for so many
/// records, so that readings stay few. Each takes about 140 bytes and its token.
const SUSPECTS_A_READING: usize = 1 << 17;
const RECORDS_A_SUSPECT: usize = 10;

/// The hashes of all tokens, in the first reading.
#[derive(Debug)]
pub(in crate::input) struct Hashes {
    key: Key,
    buckets: Buckets,
    /// Those of other threads.
    others: Vec<Buckets>,
}

impl Default for Hashes {
    fn default() -> Self {
        Self {
            key: Key::default(),
            buckets: Box::new([const { Vec::new() }; BUCKETS]),
            others: Vec::new(),
        }
    }
}

/// What hashes depend on beside tokens: new for each process, so that nobody can make tokens whose
/// hashes are equal. Should somebody all the same, the input is read once more often.
#[derive(Clone, Copy, Debug)]
struct Key(u64);

impl Default for Key {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0_u64))
    }
}

impl Key {
    fn hash(self, token: &[u8]) -> u64 {
        XxHash3_64::oneshot_with_seed(self.0, token)
    }
}

/// The hashes that came more than once, sorted.
#[derive(Debug)]
pub(in crate::input) struct Suspects {
    key: Key,
    hashes: Vec<u64>,
    a_reading: usize,
}

impl Hashes {
    pub(in crate::input) fn add(&mut self, record: &Record<'_>) {
        let hash = self.key.hash(record.token.as_bytes());
        let bucket = usize::from(hash.to_be_bytes()[0]) * BUCKETS / 256;
        self.buckets[bucket].push(hash);
    }

    /// None yet, to be added to these.
    pub(in crate::input) fn more(&self) -> Self {
        Self {
            key: self.key,
            ..Self::default()
        }
    }

    pub(in crate::input) fn add_all(&mut self, others: Self) {
        self.others.push(others.buckets);
        self.others.extend(others.others);
    }

    pub(in crate::input) fn suspects(mut self) -> Suspects {
        let buckets = std::iter::once(&self.buckets).chain(&self.others);
        let records: usize = buckets
            .flat_map(|buckets| buckets.iter().map(Vec::len))
            .sum();
        // Bucket by bucket, so that all hashes are never there twice.
        let twice = |buckets: &mut [Vec<u64>], others: &[Buckets], first: usize| {
            let mut twice = Vec::new();
            for (index, bucket) in buckets.iter_mut().enumerate() {
                let mut bucket = std::mem::take(bucket);
                for other in others {
                    bucket.extend_from_slice(&other[first + index]);
                }
                bucket.sort_unstable();
                let pairs = bucket.windows(2).filter(|pair| pair[0] == pair[1]);
                twice.extend(pairs.map(|pair| pair[0]));
            }
            twice
        };
        let others = &self.others;
        let (low, high) = self.buckets.split_at_mut(BUCKETS / 2);
        // What one thread has read is not worth another.
        let is_worth_it = !others.is_empty();
        let (low, sorted) = thread::scope(|threads| {
            let high = is_worth_it.then(|| {
                thread::Builder::new().spawn_scoped(threads, || twice(high, others, BUCKETS / 2))
            });
            let low = twice(low, others, 0);
            let high = high
                .and_then(Result::ok)
                .map(thread::ScopedJoinHandle::join);
            (low, high)
        });
        let high = match sorted {
            Some(high) => high.unwrap_or_else(|panic| panic::resume_unwind(panic)),
            // A thread that there was none for.
            None => twice(high, others, BUCKETS / 2),
        };
        let mut hashes = [low, high].concat();
        // What came three times is a pair twice.
        hashes.dedup();
        Suspects {
            key: self.key,
            hashes,
            a_reading: SUSPECTS_A_READING.max(records / RECORDS_A_SUSPECT),
        }
    }
}

impl Suspects {
    /// What each further reading has to look for.
    pub(in crate::input) fn readings(
        &self,
        rule: DuplicatePolicy,
    ) -> impl Iterator<Item = Comparison<'_>> {
        self.hashes
            .chunks(self.a_reading)
            .map(move |hashes| Comparison {
                key: self.key,
                hashes,
                rule,
                seen: std::iter::repeat_with(Vec::new)
                    .take(hashes.len())
                    .collect(),
            })
    }
}

/// One further reading's comparison of whole tokens.
pub(in crate::input) struct Comparison<'s> {
    key: Key,
    hashes: &'s [u64],
    rule: DuplicatePolicy,
    /// The tokens of each hash.
    seen: Box<[Vec<Suspect>]>,
}

/// A token that may come again.
struct Suspect {
    token: Box<[u8]>,
    seen: Seen,
}

/// The record of a token that counts so far.
#[derive(Clone, Debug)]
pub(in crate::input) struct Seen {
    pub(in crate::input) file: Arc<str>,
    pub(in crate::input) at: Position,
    expire_time: ExpireTime,
    place: usize,
}

/// What a record's token means for it and for those before.
#[derive(Debug)]
pub(in crate::input) enum Verdict {
    /// It is the only one so far.
    Keep,
    /// The record at this place among the valid ones does not count.
    Drop(usize),
    /// The token came before with another time.
    Conflict(Seen),
}

impl Comparison<'_> {
    /// Judges a record, which stands at `place` among the valid ones.
    pub(in crate::input) fn judge(
        &mut self,
        record: &Located<Record<'_>>,
        file: &Arc<str>,
        place: usize,
    ) -> Verdict {
        let Located {
            position: at,
            value: record,
        } = record;
        let token = record.token.as_bytes();
        let hash = self.key.hash(token);
        // A reading looks for a range of hashes. Most records are of the others'.
        if Some(&hash) < self.hashes.first() || Some(&hash) > self.hashes.last() {
            return Verdict::Keep;
        }
        let Ok(index) = self.hashes.binary_search(&hash) else {
            return Verdict::Keep;
        };
        let this = || Seen {
            file: Arc::clone(file),
            at: *at,
            expire_time: record.expire_time,
            place,
        };
        let alike = &mut self.seen[index];
        let Some(suspect) = alike.iter_mut().find(|one| *one.token == *token) else {
            // There is hardly ever a second.
            alike.reserve_exact(1);
            alike.push(Suspect {
                token: token.into(),
                seen: this(),
            });
            return Verdict::Keep;
        };
        let seen = &mut suspect.seen;
        let before = seen.expire_time;
        let this_counts = match self.rule {
            DuplicatePolicy::Error if before != record.expire_time => {
                return Verdict::Conflict(seen.clone());
            }
            DuplicatePolicy::Error | DuplicatePolicy::First => false,
            DuplicatePolicy::Last => true,
            DuplicatePolicy::Latest => record.expire_time > before,
        };
        if this_counts {
            Verdict::Drop(std::mem::replace(seen, this()).place)
        } else {
            Verdict::Drop(place)
        }
    }
}

/// A set of records by their place among the valid ones.
#[derive(Debug, Default)]
pub(in crate::input) struct RecordSet {
    words: Vec<u64>,
}

impl RecordSet {
    pub(in crate::input) fn insert(&mut self, place: usize) {
        let word = place / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (place % 64);
    }

    pub(in crate::input) fn contains(&self, place: usize) -> bool {
        self.words
            .get(place / 64)
            .is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    pub(in crate::input) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Adds another set's records.
    pub(in crate::input) fn add_all(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::record::{Token, TokenEncoding};

    fn record(token: &str, time: u32) -> Located<Record<'_>> {
        Located {
            position: Position {
                record: 1,
                line: 2,
                column: None,
            },
            value: Record {
                token: Token::parse(Cow::Borrowed(token), TokenEncoding::Utf8).expect("a token"),
                expire_time: ExpireTime::from_unix(time),
            },
        }
    }

    #[test]
    fn each_hash_that_came_more_than_once_is_one_suspect() {
        let mut hashes = Hashes::default();
        for token in ["a", "b", "a", "c", "c", "c", "d"] {
            hashes.add(&record(token, 1).value);
        }
        let expected = {
            let mut expected = [&b"a"[..], b"c"].map(|token| hashes.key.hash(token));
            expected.sort_unstable();
            expected
        };
        assert_eq!(hashes.suspects().hashes, expected);
    }

    /// All tokens as suspects, as if all their hashes had collided.
    fn suspects(tokens: &[&str]) -> Suspects {
        let key = Key::default();
        let mut hashes: Vec<u64> = tokens.iter().map(|one| key.hash(one.as_bytes())).collect();
        hashes.sort_unstable();
        Suspects {
            key,
            hashes,
            a_reading: SUSPECTS_A_READING,
        }
    }

    #[test]
    fn equal_hashes_of_different_tokens_are_no_duplicates() {
        let suspects = suspects(&["a", "b"]);
        let mut comparison = suspects
            .readings(DuplicatePolicy::Error)
            .next()
            .expect("one reading");
        let file = Arc::from("a.csv");
        for token in ["a", "b", "c", "c"] {
            let verdict = comparison.judge(&record(token, 1), &file, 0);
            assert!(matches!(verdict, Verdict::Keep), "{token}");
        }
        let again = comparison.judge(&record("a", 1), &file, 4);
        assert!(matches!(again, Verdict::Drop(4)));
    }

    #[test]
    fn each_rule_drops_its_own() {
        let times = [5, 3, 9, 9, 3];
        for (rule, kept) in [
            (DuplicatePolicy::First, 0),
            (DuplicatePolicy::Last, 4),
            (DuplicatePolicy::Latest, 2),
        ] {
            let suspects = suspects(&["a"]);
            let mut comparison = suspects.readings(rule).next().expect("one reading");
            let mut dropped = RecordSet::default();
            for (place, time) in times.into_iter().enumerate() {
                let file = Arc::from("a.csv");
                if let Verdict::Drop(place) = comparison.judge(&record("a", time), &file, place) {
                    dropped.insert(place);
                }
            }
            let left: Vec<_> = (0..times.len())
                .filter(|place| !dropped.contains(*place))
                .collect();
            assert_eq!(left, [kept], "{rule:?}");
        }
    }
}
