//! The flash as OpenMV's bootloader gives it out: one partition for each alternate setting.
//!
//! Source: openmv/openmv boot/src/common/dfu.c, boot/src/ports (flash drivers), v4.6.0 to v5.0.0.

use std::time::Duration;

use omv_boards::{MemoryKind, Region, State};
use omv_wire::dfu::{Outcome, Partition, Partitions, Status};

use super::chip::Chip;
use super::content::Generation;

/// What a host that writes the recovery partition is told by an onlooker.
const TOUCHED_RECOVERY: &str = "a host wrote to the RECOVERY partition";
/// What the AE3 does when its locked memory is written.
const FAULTED: &str = "a write to locked memory stopped the bootloader";

/// The partitions of one bootloader.
pub struct Bootloader {
    chip: Chip,
    table: Vec<Partition>,
    regions: Vec<&'static Region>,
    unlocked: Vec<bool>,
}

impl Bootloader {
    /// Those that a bootloader of this generation shows.
    pub fn new(chip: Chip, generation: Generation) -> Self {
        let board = chip.lock().board;
        let layout = match generation {
            Generation::First => board.layout_named("dfu-4.6"),
            _ => None,
        };
        let layout = layout.or(board.layout());
        let regions = layout.into_iter().flat_map(|layout| &layout.regions);
        let mut regions: Vec<_> = regions.filter(|r| r.alternate.is_some()).collect();
        regions.sort_by_key(|region| region.alternate.as_ref().map(|a| a.number));
        let table = regions
            .iter()
            .enumerate()
            .map(|(number, region)| Partition {
                name: region.name.clone(),
                size: region.size,
                read_only: region.memory != MemoryKind::Command
                    && !region.is_writable_in(State::Dfu),
                poll: generation.poll(number),
            });
        Self {
            table: table.collect(),
            unlocked: vec![false; regions.len()],
            regions,
            chip,
        }
    }

    fn region(&self, alternate: u8) -> Option<&'static Region> {
        self.regions.get(usize::from(alternate)).copied()
    }
}

impl Partitions for Bootloader {
    fn table(&self) -> &[Partition] {
        &self.table
    }

    fn read(&mut self, _now: Duration, alternate: u8, offset: u32, size: u16) -> Option<Vec<u8>> {
        let region = self.region(alternate)?;
        let readable = region.memory != MemoryKind::Command;
        let read = || {
            let parts = self.chip.lock();
            parts.read_region(region, offset as usize, size.into())
        };
        readable.then(read)
    }

    fn write(&mut self, now: Duration, alternate: u8, offset: u32, bytes: &[u8]) -> Outcome {
        let Some(region) = self.region(alternate) else {
            return Outcome::refused(Status::WRITE);
        };
        let mut parts = self.chip.lock();
        if region.memory == MemoryKind::Command {
            parts.misused = Some(TOUCHED_RECOVERY);
            return Outcome::refused(Status::WRITE);
        }
        if region.memory == MemoryKind::Mram && !self.unlocked[usize::from(alternate)] {
            parts.misused = Some(FAULTED);
            return Outcome::after(Duration::MAX);
        }
        parts.now = parts.now.max(now);
        let address = region.start + offset;
        let sector = parts.sector(region.memory, address);
        let starts = sector.filter(|sector| sector.start == address);
        if let Some(sector) = starts {
            parts.erase(region.memory, sector);
        }
        let place = (region.memory, address);
        match parts.write(place, bytes, 0, starts.is_some()) {
            Ok(end) => Outcome::after(end.saturating_sub(now)),
            Err(_) => Outcome::refused(Status::WRITE),
        }
    }

    fn unlock(&mut self, alternate: u8) {
        if let Some(unlocked) = self.unlocked.get_mut(usize::from(alternate)) {
            *unlocked = true;
        }
    }

    fn manifest(&mut self, _now: Duration, alternate: u8) -> Outcome {
        if let Some(unlocked) = self.unlocked.get_mut(usize::from(alternate)) {
            *unlocked = false;
        }
        Outcome::DONE
    }
}
