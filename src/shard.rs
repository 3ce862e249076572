//! [`Shard`]: divides the records of a push among several machines, by a hash of the token.

use twox_hash::XxHash3_64;

use crate::record::Token;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// Returns `None` unless `index`, counted from 0, is less than `count`.
    pub(crate) fn new(index: u64, count: u64) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    pub(crate) fn is_whole(self) -> bool {
        self.count == 1
    }

    /// The index of the part is XXH3-64 (seed 0) of the token's bytes, modulo the number of parts.
    /// This formula must never change: machines with different versions of the program would
    /// together send some tokens twice and others not at all.
    pub(crate) fn contains(self, token: &Token<'_>) -> bool {
        XxHash3_64::oneshot(token.as_bytes()) % self.count == self.index
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::record::TokenEncoding;

    fn token(text: &str) -> Token<'_> {
        Token::parse(text.as_bytes().into(), TokenEncoding::Utf8).expect("a token")
    }

    #[test]
    fn assigns_tokens_to_the_same_parts_in_all_versions() {
        for (text, of_2, of_3, of_1000) in [
            ("fadfadftetwtwtwt", 1, 2, 999),
            ("fadsfadfadfasfdtest", 0, 2, 244),
            ("a", 1, 1, 719),
            ("sensor-0001", 0, 0, 670),
        ] {
            for (count, index) in [(2, of_2), (3, of_3), (1000, of_1000)] {
                let found: Vec<_> = (0..count)
                    .filter(|index| {
                        Shard::new(*index, count)
                            .expect("a part")
                            .contains(&token(text))
                    })
                    .collect();
                assert_eq!(found, [index], "{text} of {count}");
            }
        }
        assert!(Shard::new(0, 1).expect("the whole").contains(&token("b")));
        assert_eq!(Shard::new(2, 2), None);
        assert_eq!(Shard::new(0, 0), None);
    }
}
