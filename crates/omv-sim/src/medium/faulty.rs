//! Cards as they are sold and as they die.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::{Medium, MediumError, check};

/// What is wrong with a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// It has this many blocks; behind them it begins again.
    Wraps(u64),
    /// It has this many blocks; what is written behind them is dropped, and zeros come back.
    Drops(u64),
    /// These blocks keep what they had.
    Stuck(Vec<Range<u64>>),
    /// In these blocks one bit in one of so many reads is wrong.
    Rot(Range<u64>, u32),
    /// These blocks fail with an error. Behind firmware that hides errors they fail silently.
    Fails(Vec<Range<u64>>),
    /// So many of the last blocks are lost when the card is let go of.
    Forgets(usize),
    /// Writes to the first range land in the second, and the other way round; reads do not.
    Swaps(Range<u64>, Range<u64>),
    /// A write takes the first time, and one in 50 the second.
    Slow(Duration, Duration),
    /// It refuses writes.
    Protected,
}

/// A medium with something wrong. The same things go wrong in every run.
pub struct Faulty<M> {
    medium: M,
    trouble: Trouble,
    random: u64,
    /// What blocks held before they were written, while that may still be lost.
    unsettled: VecDeque<(u64, Vec<u8>)>,
    busy: Duration,
}

impl<M: Medium> Faulty<M> {
    /// Takes a good medium and breaks it.
    pub fn new(medium: M, trouble: Trouble) -> Self {
        Self {
            medium,
            trouble,
            random: 0x9E37_79B9_7F4A_7C15,
            unsettled: VecDeque::new(),
            busy: Duration::ZERO,
        }
    }

    fn roll(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Where a block really is; none where there is nothing.
    fn place(&self, block: u64, writing: bool) -> Option<u64> {
        match &self.trouble {
            Trouble::Wraps(blocks) => Some(block % blocks),
            Trouble::Drops(blocks) => Some(block).filter(|block| block < blocks),
            Trouble::Stuck(ranges) if writing => {
                Some(block).filter(|block| !within(ranges, *block))
            }
            Trouble::Swaps(one, two) if writing && one.contains(&block) => {
                Some(two.start + (block - one.start))
            }
            Trouble::Swaps(one, two) if writing && two.contains(&block) => {
                Some(one.start + (block - two.start))
            }
            _ => Some(block),
        }
    }

    fn read_one(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        match &self.trouble {
            Trouble::Fails(ranges) if within(ranges, block) => {
                return Err(MediumError::Unreadable(block));
            }
            _ => {}
        }
        match self.place(block, false) {
            Some(place) => self.medium.read(place, into)?,
            None => into.fill(0),
        }
        let odds = match &self.trouble {
            Trouble::Rot(range, odds) if range.contains(&block) => *odds,
            _ => return Ok(()),
        };
        let roll = self.roll();
        if roll.is_multiple_of(odds.into()) {
            let bit = (roll >> 32) as usize % (into.len() * 8);
            into[bit / 8] ^= 1 << (bit % 8);
        }
        Ok(())
    }

    fn write_one(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        match &self.trouble {
            Trouble::Fails(ranges) if within(ranges, block) => {
                return Err(MediumError::Unwritable(block));
            }
            Trouble::Forgets(most) => {
                let most = *most;
                let mut before = vec![0; bytes.len()];
                self.medium.read(block, &mut before)?;
                self.unsettled.push_back((block, before));
                if self.unsettled.len() > most {
                    self.unsettled.pop_front();
                }
            }
            Trouble::Slow(usual, worst) => {
                let (usual, worst) = (*usual, *worst);
                let stalls = self.roll().is_multiple_of(50);
                self.busy += if stalls { worst } else { usual };
            }
            _ => {}
        }
        match self.place(block, true) {
            Some(place) => self.medium.write(place, bytes),
            None => Ok(()),
        }
    }
}

fn within(ranges: &[Range<u64>], block: u64) -> bool {
    ranges.iter().any(|range| range.contains(&block))
}

impl<M: Medium> Medium for Faulty<M> {
    fn block_size(&self) -> usize {
        self.medium.block_size()
    }

    fn blocks(&self) -> u64 {
        self.medium.blocks()
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        check(self, block, into.len())?;
        let size = self.block_size();
        for (number, part) in (block..).zip(into.chunks_mut(size)) {
            self.read_one(number, part)?;
        }
        Ok(())
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        check(self, block, bytes.len())?;
        for (number, part) in (block..).zip(bytes.chunks(self.block_size())) {
            self.write_one(number, part)?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), MediumError> {
        while let Some((block, before)) = self.unsettled.pop_back() {
            self.medium.write(block, &before)?;
        }
        self.medium.sync()
    }

    fn is_protected(&self) -> bool {
        self.trouble == Trouble::Protected || self.medium.is_protected()
    }

    fn holds_back(&self) -> Option<Duration> {
        self.medium.holds_back()
    }

    fn busy(&mut self) -> Duration {
        std::mem::take(&mut self.busy) + self.medium.busy()
    }
}
