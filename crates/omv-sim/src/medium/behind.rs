//! The internal disk of an STM32 board: one erase sector waits in memory.
//!
//! What is written goes to a copy of its sector in memory, and to flash when another sector is
//! written, when the computer lets go of the medium, when a file is closed, or some time after the
//! last write. A reset before that loses it, also what the computer believes to be written.
//!
//! Sources: openmv/micropython ports/stm32/flashbdev.c, ports/stm32/spibdev.c.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Medium, MediumError, check};

/// A medium that writes behind.
pub struct Behind<M> {
    medium: M,
    /// Blocks of an erase sector, and the block at which the first of them begins.
    sector: (u64, u64),
    delay: Duration,
    waiting: BTreeMap<u64, Vec<u8>>,
}

impl<M: Medium> Behind<M> {
    /// Holds back writes to `medium` for `delay`, `blocks` at a time from block `start` on.
    pub fn new(medium: M, (blocks, start): (u64, u64), delay: Duration) -> Self {
        Self {
            medium,
            sector: (blocks.max(1), start),
            delay,
            waiting: BTreeMap::new(),
        }
    }

    fn sector(&self, block: u64) -> Option<u64> {
        let (blocks, start) = self.sector;
        block.checked_sub(start).map(|block| block / blocks)
    }
}

impl<M: Medium> Medium for Behind<M> {
    fn block_size(&self) -> usize {
        self.medium.block_size()
    }

    fn blocks(&self) -> u64 {
        self.medium.blocks()
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        self.medium.read(block, into)?;
        let size = self.block_size();
        for (number, part) in (block..).zip(into.chunks_mut(size)) {
            if let Some(bytes) = self.waiting.get(&number) {
                part.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        check(self, block, bytes.len())?;
        for (number, part) in (block..).zip(bytes.chunks(self.block_size())) {
            let Some(sector) = self.sector(number) else {
                self.medium.write(number, part)?;
                continue;
            };
            let other = self.waiting.keys().next();
            if other.is_some_and(|other| self.sector(*other) != Some(sector)) {
                self.sync()?;
            }
            self.waiting.insert(number, part.to_vec());
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), MediumError> {
        for (number, bytes) in std::mem::take(&mut self.waiting) {
            self.medium.write(number, &bytes)?;
        }
        self.medium.sync()
    }

    fn is_protected(&self) -> bool {
        self.medium.is_protected()
    }

    fn holds_back(&self) -> Option<Duration> {
        Some(self.delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medium::MemoryCard;
    use crate::medium::Shared;

    #[test]
    fn what_waits_is_read_back_and_reaches_the_flash_when_it_is_let_go_or_another_sector_comes() {
        let flash = Shared::new(MemoryCard::blank(64));
        let mut disk = Behind::new(flash.clone(), (8, 16), Duration::from_secs(5));
        let mut seen = [0; 512];
        disk.write(20, &[7; 512]).unwrap();
        disk.read(20, &mut seen).unwrap();
        assert_eq!(seen[0], 7);
        flash.clone().read(20, &mut seen).unwrap();
        assert_eq!(seen[0], 0);
        disk.write(24, &[8; 512]).unwrap();
        flash.clone().read(20, &mut seen).unwrap();
        assert_eq!(seen[0], 7);
        flash.clone().read(24, &mut seen).unwrap();
        assert_eq!(seen[0], 0);
        disk.sync().unwrap();
        flash.clone().read(24, &mut seen).unwrap();
        assert_eq!(seen[0], 8);
    }
}
