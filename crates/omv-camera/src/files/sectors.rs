//! A disk's blocks as the sectors that `omv-fat` works on.

use omv_fat::{Fault, Sectors};

use crate::disk::{BlockError, Blocks};

/// Lends a disk to `omv-fat`, and keeps the reason when something fails.
pub struct BlockSectors<'a> {
    blocks: &'a mut dyn Blocks,
    /// The last thing the disk said, for a message that says more than that it failed.
    pub last: Option<BlockError>,
}

impl<'a> BlockSectors<'a> {
    /// Over this disk.
    pub fn new(blocks: &'a mut dyn Blocks) -> Self {
        Self { blocks, last: None }
    }

    fn failed(&mut self, error: BlockError, fault: Fault) -> Fault {
        let fault = match error {
            BlockError::Protected => Fault::ReadOnly,
            _ => fault,
        };
        self.last = Some(error);
        fault
    }
}

impl Sectors for BlockSectors<'_> {
    fn sector_size(&self) -> u32 {
        self.blocks.block_size()
    }

    fn sectors(&self) -> u64 {
        self.blocks.blocks()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        let read = self.blocks.read(first, into);
        read.map_err(|error| self.failed(error, Fault::Unreadable { sector: first }))
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        let written = self.blocks.write(first, from);
        written.map_err(|error| self.failed(error, Fault::Unwritable { sector: first }))
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let settled = self.blocks.settle();
        settled.map_err(|error| self.failed(error, Fault::Unwritable { sector: 0 }))
    }
}
