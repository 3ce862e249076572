//! A compact set of records.

/// A set of records. Each record is one bit at its index among the valid records of all inputs.
#[derive(Clone, Debug, Default)]
pub(in crate::input) struct RecordSet {
    words: Vec<u64>,
}

impl RecordSet {
    pub(in crate::input) fn insert(&mut self, index: usize) {
        let word = index / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (index % 64);
    }

    pub(in crate::input) fn contains(&self, index: usize) -> bool {
        self.words
            .get(index / 64)
            .is_some_and(|word| word & (1 << (index % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_the_inserted_records() {
        let mut set = RecordSet::default();
        set.insert(64);
        set.insert(3);
        set.insert(200);
        let contained: Vec<_> = (0..300).filter(|index| set.contains(*index)).collect();
        assert_eq!(contained, [3, 64, 200]);
    }
}
