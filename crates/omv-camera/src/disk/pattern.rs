//! What a test writes: blocks that say which block and which run they are from.
//!
//! ```text
//!   key u64 | block u64 | a stream of words that follows from both
//! ```
//!
//! So a block that comes back can be told from its neighbour, from another run's, from one that
//! was never written, and from its own with a few bits wrong.

/// Bytes that name run and block.
const HEAD: usize = 16;
/// Bits that may be wrong in a block that is still recognised as itself: one in 32.
const NEAR: u32 = 32;

/// What came back in place of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is itself.
    Itself,
    /// It is another block of this run.
    Other(u64),
    /// It is itself with some bits wrong.
    Near,
    /// It is nothing of this run.
    Foreign,
}

/// The patterns of one run.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    key: u64,
}

impl Pattern {
    /// Of a run whose key nobody else has.
    pub fn new(key: u64) -> Self {
        Self { key }
    }

    /// Fills a buffer of whole blocks.
    pub fn fill(&self, first: u64, size: usize, into: &mut [u8]) {
        for (block, bytes) in (first..).zip(into.chunks_mut(size)) {
            self.fill_one(block, bytes);
        }
    }

    fn fill_one(&self, block: u64, bytes: &mut [u8]) {
        let mut state = scramble(self.key ^ block.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut words = bytes.chunks_mut(8);
        for word in [self.key, block] {
            if let Some(place) = words.next() {
                place.copy_from_slice(&word.to_le_bytes()[..place.len()]);
            }
        }
        for place in words {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            place.copy_from_slice(&state.to_le_bytes()[..place.len()]);
        }
    }

    /// Says what a block is that was read where `block` should be.
    pub fn judge(&self, block: u64, bytes: &[u8]) -> Claim {
        if self.is(block, bytes) {
            return Claim::Itself;
        }
        if let Some(head) = bytes.first_chunk::<HEAD>() {
            let word = |at: usize| {
                let mut word = [0; 8];
                word.copy_from_slice(&head[at..at + 8]);
                u64::from_le_bytes(word)
            };
            let other = word(8);
            if word(0) == self.key && other != block && self.is(other, bytes) {
                return Claim::Other(other);
            }
        }
        let bits = bytes.len() as u32 * 8;
        match self.differs(block, bytes) <= bits / NEAR {
            true => Claim::Near,
            false => Claim::Foreign,
        }
    }

    fn is(&self, block: u64, bytes: &[u8]) -> bool {
        let mut own = vec![0; bytes.len()];
        self.fill_one(block, &mut own);
        own == bytes
    }

    /// Bits in which these bytes are not the block.
    fn differs(&self, block: u64, bytes: &[u8]) -> u32 {
        let mut own = vec![0; bytes.len()];
        self.fill_one(block, &mut own);
        let pairs = own.iter().zip(bytes);
        pairs.map(|(own, read)| (own ^ read).count_ones()).sum()
    }
}

/// Makes near numbers far (the finaliser of SplitMix64), and never 0.
pub fn scramble(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (word ^ (word >> 31)) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_told_from_its_neighbour_another_run_and_itself_with_wrong_bits() {
        let pattern = Pattern::new(0x1234);
        let mut blocks = vec![0; 1024];
        pattern.fill(7, 512, &mut blocks);
        assert_eq!(pattern.judge(7, &blocks[..512]), Claim::Itself);
        assert_eq!(pattern.judge(7, &blocks[512..]), Claim::Other(8));
        assert_eq!(
            Pattern::new(0x1235).judge(7, &blocks[..512]),
            Claim::Foreign
        );
        assert_eq!(pattern.judge(7, &[0; 512]), Claim::Foreign);
        blocks[3] ^= 0x10;
        blocks[400] ^= 0x81;
        assert_eq!(pattern.judge(7, &blocks[..512]), Claim::Near);
        assert_eq!(pattern.judge(8, &blocks[..512]), Claim::Foreign);
    }
}
