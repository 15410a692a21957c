//! The internal disk: a part of the camera's flash, seen as blocks.

use std::sync::Arc;
use std::time::Duration;

use omv_boards::{Board, MemoryKind, Role};
use omv_wire::romfs;

use super::{Medium, MediumError, check};
use crate::nor::Nor;
use crate::state::Store;

/// Blocks in front of the disk of an STM32: a made-up partition table, then nothing.
///
/// Source: micropython ports/stm32/storage.c (`FLASH_PART1_START_BLOCK`).
const LEAD: u64 = 0x100;
/// Bytes of a block there.
const BLOCK: usize = 512;
/// Bytes of a block of the RT1062 and the AE3, which hand out erase sectors as they are.
const SECTOR_BLOCK: usize = 4096;

/// Where an address of a memory lies in the store, which has the board's memories one after the other.
fn place_in_store(board: &Board, kind: MemoryKind, address: u32) -> Option<usize> {
    let mut offset = 0;
    for memory in &board.memories {
        if memory.kind == kind {
            return Some(offset + address.checked_sub(memory.start)? as usize);
        }
        offset += memory.size as usize;
    }
    None
}

/// The ROM file system of a board whose flash this is, if a whole one is there.
pub fn rom(board: &Board, store: Box<dyn Store>) -> Option<Arc<[u8]>> {
    let region = board.layout()?.role(Role::Romfs)?;
    let at = place_in_store(board, region.memory, region.start)?;
    let size = region.size as usize;
    let mut found = None;
    store.flash(&mut |nor: &mut Nor| {
        if nor.read(at, romfs::HEADER.len()) == romfs::HEADER {
            let bytes = nor.read(at, size);
            let length = romfs::read(&bytes).ok().map(|image| image.length);
            found = length.map(|length| Arc::from(&bytes[..length]));
        }
    });
    found
}

/// A region of the flash of a virtual camera.
pub struct FlashDisk {
    store: Box<dyn Store>,
    offset: usize,
    size: usize,
    lead: bool,
}

impl FlashDisk {
    /// The internal disk of a board whose flash this is; none for a board without one.
    pub fn new(board: &Board, store: Box<dyn Store>) -> Option<Self> {
        let layout = board.layout()?;
        let region = layout.role(Role::Disk)?;
        let mut offset = 0;
        for memory in &board.memories {
            if memory.kind == region.memory {
                offset += (region.start - memory.start) as usize;
                // A ROM file system at the end of the same chip is no part of the disk.
                let romfs = layout.role(Role::Romfs);
                let romfs = romfs.filter(|romfs| romfs.memory == region.memory);
                let limit = romfs
                    .map(|romfs| romfs.start)
                    .filter(|start| *start > region.start);
                let end = limit.unwrap_or(region.start + region.size);
                let size = region.size.min(end - region.start) as usize;
                let lead = board.mcu.starts_with("STM32");
                return Some(Self {
                    store,
                    offset,
                    size,
                    lead,
                });
            }
            offset += memory.size as usize;
        }
        None
    }

    /// First block of the volume: behind the made-up partition table, where there is one.
    pub fn volume_start(&self) -> u64 {
        if self.lead { LEAD } else { 0 }
    }

    /// Blocks of the sector that the firmware holds back in memory, and for how long; none where
    /// it writes at once. Of the N6 it is not known.
    ///
    /// Source: micropython ports/stm32/flashbdev.c, ports/stm32/spibdev.c.
    pub fn held_back(&self, board: &Board) -> Option<(u64, Duration)> {
        let region = board.layout()?.role(Role::Disk)?;
        match region.memory {
            MemoryKind::Internal if self.lead => {
                let memory = board.memories.iter().find(|m| m.kind == region.memory)?;
                let mut end = memory.start;
                let sector = memory.sectors.iter().find(|run| {
                    end += run.count * run.size;
                    region.start < end
                });
                let blocks = u64::from(sector?.size) / BLOCK as u64;
                Some((blocks, Duration::from_secs(5)))
            }
            MemoryKind::Qspi if self.lead => {
                Some(((SECTOR_BLOCK / BLOCK) as u64, Duration::from_secs(1)))
            }
            _ => None,
        }
    }

    /// The one block of the lead that can be read: one partition of type 1.
    fn table(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let blocks = (self.size / BLOCK) as u32;
        let entry = &mut block[446..462];
        entry[4] = 1;
        entry[8..12].copy_from_slice(&(LEAD as u32).to_le_bytes());
        entry[12..16].copy_from_slice(&blocks.to_le_bytes());
        block[510..].copy_from_slice(&[0x55, 0xAA]);
        block
    }

    fn place_of(&self, block: u64) -> usize {
        self.offset + (block - self.volume_start()) as usize * self.block_size()
    }
}

impl Medium for FlashDisk {
    fn block_size(&self) -> usize {
        if self.lead { BLOCK } else { SECTOR_BLOCK }
    }

    fn blocks(&self) -> u64 {
        self.volume_start() + (self.size / self.block_size()) as u64
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        check(self, block, into.len())?;
        let size = self.block_size();
        for (number, part) in (block..).zip(into.chunks_mut(size)) {
            if number == 0 && self.lead {
                part.copy_from_slice(&self.table());
            } else if number < self.volume_start() {
                return Err(MediumError::Unreadable(number));
            } else {
                let at = self.place_of(number);
                self.store.flash(&mut |nor: &mut Nor| {
                    part.copy_from_slice(&nor.read(at, size));
                });
            }
        }
        Ok(())
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        check(self, block, bytes.len())?;
        for (number, part) in (block..).zip(bytes.chunks(self.block_size())) {
            // The table takes writes and forgets them.
            if number == 0 && self.lead {
                continue;
            }
            if number < self.volume_start() {
                return Err(MediumError::Unwritable(number));
            }
            let at = self.place_of(number);
            self.store.flash(&mut |nor: &mut Nor| nor.place(at, part));
        }
        Ok(())
    }
}
