//! One bit a cluster.

/// A set of numbers below a limit.
#[derive(Clone, Debug)]
pub(crate) struct Bits {
    words: Vec<u64>,
    limit: u32,
}

impl Bits {
    /// An empty set of numbers below `limit`.
    pub fn new(limit: u32) -> Self {
        let words = vec![0; (limit as usize).div_ceil(64)];
        Self { words, limit }
    }

    pub fn has(&self, number: u32) -> bool {
        let word = self.words.get(number as usize / 64).copied();
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Adds a number; says whether it is new.
    pub fn add(&mut self, number: u32) -> bool {
        if number >= self.limit || self.has(number) {
            return false;
        }
        self.words[number as usize / 64] |= 1 << (number % 64);
        true
    }

    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = self.words.iter().enumerate();
        words.flat_map(|(at, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| at as u32 * 64 + bit)
        })
    }

    /// Those that the other set lacks, in order.
    pub fn without<'a>(&'a self, other: &'a Bits) -> impl Iterator<Item = u32> + 'a {
        let pairs = self.words.iter().zip(&other.words).enumerate();
        pairs.flat_map(|(at, (mine, theirs))| {
            let mut left = mine & !theirs;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                (left != 0).then(|| {
                    left &= left - 1;
                    at as u32 * 64 + bit
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there_once_and_nothing_lies_outside() {
        let mut bits = Bits::new(130);
        assert!(bits.add(129) && !bits.add(129) && !bits.add(130));
        assert!(bits.has(129) && !bits.has(130) && !bits.has(u32::MAX));
        bits.add(3);
        assert_eq!(bits.count(), 2);
        let mut other = Bits::new(130);
        other.add(3);
        assert_eq!(bits.without(&other).collect::<Vec<_>>(), [129]);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 129]);
    }
}
