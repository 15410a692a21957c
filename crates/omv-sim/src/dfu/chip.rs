//! What stays when the power goes: the flash of a camera, inside and outside of its
//! microcontroller.
//!
//! All memories of a board lie one after the other in one [`Nor`], in the order of its board
//! file. Whatever runs on the chip does one thing at a time, so one queue of work serves them all.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use omv_boards::{Board, Memory, MemoryKind, Region, Span};

use crate::nor::{Nor, SECTOR, Speed};

/// Revision of an STM32H74x, which decides how its ROM fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revision {
    /// The older one; its ROM erases the second bank and says so.
    Y,
    /// The one most cameras have; its ROM never says that an erase in the second bank ended.
    #[default]
    V,
}

/// Why bytes were not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A word that takes one write between two erases was written already.
    Written,
    /// There is no such memory, or the bytes reach over its end.
    Outside,
}

/// Flash, and the clock that operations on it are scheduled by.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The board.
    pub board: &'static Board,
    /// All memories, one after the other.
    pub nor: Nor,
    /// The chip's unique id, in the order of memory.
    pub uid: [u8; 12],
    /// Its revision; of meaning for the STM32H74x alone.
    pub revision: Revision,
    /// Time on the camera's clock.
    pub now: Duration,
    /// Set when the allowance of flash bytes ran out.
    pub lost_power: bool,
    /// Set when a host did something that no host ever should.
    pub misused: Option<&'static str>,
}

/// Bytes of all memories of a board together.
pub fn flash_size(board: &Board) -> usize {
    board
        .memories
        .iter()
        .map(|memory| memory.size as usize)
        .sum()
}

impl Parts {
    /// A chip with blank flash.
    pub fn blank(board: &'static Board, uid: [u8; 12], revision: Revision) -> Self {
        Self {
            board,
            nor: Nor::blank(flash_size(board), Speed::default()),
            uid,
            revision,
            now: Duration::ZERO,
            lost_power: false,
            misused: None,
        }
    }

    /// A memory, and where it begins in the [`Nor`].
    fn memory(&self, kind: MemoryKind) -> Option<(&'static Memory, usize)> {
        let mut base = 0;
        for memory in &self.board.memories {
            if memory.kind == kind {
                return Some((memory, base));
            }
            base += memory.size as usize;
        }
        None
    }

    /// Where an address of a memory lies in the [`Nor`].
    pub fn offset(&self, kind: MemoryKind, address: u32) -> Option<usize> {
        let (memory, base) = self.memory(kind)?;
        let inside = (memory.start..memory.end()).contains(&address);
        inside.then(|| base + (address - memory.start) as usize)
    }

    /// The memory that is reached at this address by a protocol that numbers them all, as DfuSe
    /// does.
    pub fn kind_at(&self, address: u32) -> Option<MemoryKind> {
        let mut memories = self.board.memories.iter();
        let holds = |memory: &&Memory| (memory.start..memory.end()).contains(&address);
        memories.find(holds).map(|memory| memory.kind)
    }

    /// Bytes of a memory; beyond its end they are FF.
    pub fn read(&self, kind: MemoryKind, address: u32, size: usize) -> Vec<u8> {
        let there = self.memory(kind).map_or(0, |(memory, _)| {
            (memory.end().saturating_sub(address) as usize).min(size)
        });
        let mut bytes = match self.offset(kind, address) {
            Some(offset) => self.nor.read(offset, there),
            None => Vec::new(),
        };
        bytes.resize(size, 0xFF);
        bytes
    }

    /// Bytes of a region, from an offset in it on.
    pub fn read_region(&self, region: &Region, offset: usize, size: usize) -> Vec<u8> {
        self.read(region.memory, region.start + offset as u32, size)
    }

    /// Puts bytes there as a factory would.
    pub fn place(&mut self, kind: MemoryKind, address: u32, bytes: &[u8]) {
        if let Some(offset) = self.offset(kind, address) {
            self.nor.place(offset, bytes);
        }
    }

    /// The erase sector that holds an address.
    pub fn sector(&self, kind: MemoryKind, address: u32) -> Option<Span> {
        let (memory, _) = self.memory(kind)?;
        if kind == MemoryKind::Mram {
            return None;
        }
        memory.sectors().find(|sector| sector.contains(address))
    }

    /// Starts erasing one sector; tells when it will be blank.
    pub fn erase(&mut self, kind: MemoryKind, sector: Span) -> Option<Duration> {
        let offset = self.offset(kind, sector.start)?;
        let size = sector.size() as usize;
        let sectors: Range<usize> = offset / SECTOR..(offset + size).div_ceil(SECTOR);
        Some(
            self.nor
                .erase_block(self.now, sectors, erase_time(kind, size)),
        )
    }

    /// Starts writing bytes, the last unit filled up with `pad`; `erased` says that their place is
    /// being erased just before. Tells when they will be there.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn write(
        &mut self,
        (kind, address): (MemoryKind, u32),
        bytes: &[u8],
        pad: u8,
        erased: bool,
    ) -> Result<Duration, Refused> {
        let (memory, _) = self.memory(kind).ok_or(Refused::Outside)?;
        let offset = self.offset(kind, address).ok_or(Refused::Outside)?;
        let unit = match kind {
            MemoryKind::Internal | MemoryKind::Mram => memory.program_unit.unwrap_or(1) as usize,
            // A page may be written in parts.
            _ => 1,
        };
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(unit), pad);
        if u64::from(address) + bytes.len() as u64 > u64::from(memory.end()) {
            return Err(Refused::Outside);
        }
        let takes = (unit, unit_time(kind, unit));
        if kind == MemoryKind::Mram {
            return Ok(self.nor.store_units(self.now, offset, &bytes, takes));
        }
        let again = memory.program_once && !erased;
        if again && !self.nor.is_blank(offset..offset + bytes.len()) {
            return Err(Refused::Written);
        }
        Ok(self.nor.program_units(self.now, offset, &bytes, takes))
    }
}

/// How long an erase takes: typical figures of the data sheets, not measured.
///
/// Source: STM32F427, F765 and H743 data sheets (128 KiB in about 1.1 s); those of 256 Mbit
/// quad-SPI chips.
fn erase_time(kind: MemoryKind, size: usize) -> Duration {
    match kind {
        MemoryKind::Internal => Duration::from_micros(8_500) * (size / 1024) as u32,
        _ if size <= SECTOR => Duration::from_millis(45),
        _ => Duration::from_millis(150),
    }
}

/// How long one unit takes, of the same sources: 130 us for 32 bytes of the H7, 16 us for four of
/// the F4, 0.4 ms for a page of 256 bytes.
fn unit_time(kind: MemoryKind, unit: usize) -> Duration {
    let nanos = match kind {
        MemoryKind::Internal => 4_000,
        MemoryKind::Mram => 500,
        _ => 1_600,
    };
    Duration::from_nanos(nanos) * unit as u32
}

/// A handle on the parts.
#[derive(Clone, Debug)]
pub struct Chip(Arc<Mutex<Parts>>);

impl Chip {
    /// A chip made of these parts.
    pub fn of(parts: Parts) -> Self {
        Self(Arc::new(Mutex::new(parts)))
    }

    /// The parts, for as long as the guard lives.
    pub fn lock(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes time on to the flash.
    pub fn settle(&self, now: Duration) {
        let mut parts = self.lock();
        parts.now = parts.now.max(now);
        if !parts.nor.settle(now) {
            parts.lost_power = true;
        }
    }
}
