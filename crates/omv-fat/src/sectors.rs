//! The one door to blocks: [`Sectors`], and the forms of it that live in memory.

use std::collections::BTreeMap;

use crate::Fault;

/// Something that has sectors: a block device, an image, a card behind a camera or a link.
///
/// Sectors are counted from 0; a buffer is always a whole number of them. An implementation needs
/// no cache: this crate reads in pieces of up to 64 KiB and remembers what it needs again.
pub trait Sectors {
    /// Bytes in a sector: a power of two from 512 to 4096.
    fn sector_size(&self) -> u32;

    /// How many there are.
    fn sectors(&self) -> u64;

    /// Reads as many sectors as fit into the buffer, all or none.
    ///
    /// # Errors
    /// When one of them cannot be read or does not exist.
    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault>;

    /// Writes sectors. One sector is written whole or not at all; several need not be.
    ///
    /// # Errors
    /// When one of them cannot be written or does not exist.
    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault>;

    /// Brings everything to the medium.
    ///
    /// # Errors
    /// When that fails.
    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// A disk in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    sector: u32,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Memory {
    /// A disk with this content; what is left over of the last sector is cut off.
    pub fn new(sector: u32, mut bytes: Vec<u8>) -> Self {
        let sector = sector.max(1);
        bytes.truncate(bytes.len() - bytes.len() % sector as usize);
        Self { sector, bytes }
    }

    fn range(&self, first: u64, length: usize) -> Result<std::ops::Range<usize>, Fault> {
        let past = Fault::PastEnd { sector: first };
        let start = first.checked_mul(self.sector.into()).ok_or(past)?;
        let start = usize::try_from(start).map_err(|_| past)?;
        let end = start.checked_add(length).ok_or(past)?;
        (end <= self.bytes.len()).then_some(start..end).ok_or(past)
    }
}

impl Sectors for Memory {
    fn sector_size(&self) -> u32 {
        self.sector
    }

    fn sectors(&self) -> u64 {
        self.bytes.len() as u64 / u64::from(self.sector)
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        let range = self.range(first, into.len())?;
        into.copy_from_slice(&self.bytes[range]);
        Ok(())
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        let range = self.range(first, from.len())?;
        self.bytes[range].copy_from_slice(from);
        Ok(())
    }
}

/// Sectors an overlay keeps at most.
const LIMIT: usize = 1 << 18;

/// A disk that may be written to although nothing reaches it: what is written stays in memory.
pub struct Overlay<'a> {
    below: &'a mut dyn Sectors,
    changed: BTreeMap<u64, Vec<u8>>,
    /// Every write in its order, a sector each.
    log: Vec<u64>,
}

impl<'a> Overlay<'a> {
    /// Over a disk that is only read.
    pub fn new(below: &'a mut dyn Sectors) -> Self {
        Self {
            below,
            changed: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// The sectors that were written since the last call, in the order of their first write, with
    /// what they hold now.
    pub fn take_log(&mut self) -> Vec<(u64, Vec<u8>)> {
        let mut seen = std::collections::BTreeSet::new();
        let log = std::mem::take(&mut self.log);
        let first = log.into_iter().filter(|sector| seen.insert(*sector));
        first
            .filter_map(|sector| Some((sector, self.changed.get(&sector)?.clone())))
            .collect()
    }

    /// How many sectors differ from the disk below.
    pub fn changed(&self) -> usize {
        self.changed.len()
    }

    /// What a sector of the disk below holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn original(&mut self, sector: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; self.below.sector_size() as usize];
        self.below.read(sector, &mut bytes)?;
        Ok(bytes)
    }
}

impl Sectors for Overlay<'_> {
    fn sector_size(&self) -> u32 {
        self.below.sector_size()
    }

    fn sectors(&self) -> u64 {
        self.below.sectors()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        let size = self.sector_size().max(1) as usize;
        let count = (into.len() / size) as u64;
        let mut below = Ok(());
        // What was written over is not asked for again: it may be unreadable.
        let over = self.changed.range(first..first.saturating_add(count));
        if (over.count() as u64) < count {
            below = self.below.read(first, into);
        }
        below?;
        for (sector, bytes) in self.changed.range(first..first.saturating_add(count)) {
            let at = (sector - first) as usize * size;
            if let Some(place) = into.get_mut(at..at + size) {
                place.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        let size = self.sector_size().max(1) as usize;
        for (sector, piece) in (first..).zip(from.chunks_exact(size)) {
            if sector >= self.sectors() {
                return Err(Fault::PastEnd { sector });
            }
            if self.changed.len() >= LIMIT {
                return Err(Fault::TooMuch { limit: LIMIT });
            }
            self.changed.insert(sector, piece.to_vec());
            self.log.push(sector);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_reads_what_was_written_and_leaves_the_disk_alone() {
        let mut disk = Memory::new(512, vec![1; 2048]);
        let before = disk.clone();
        let mut overlay = Overlay::new(&mut disk);
        overlay.write(2, &[9; 512]).unwrap();
        overlay.write(1, &[7; 512]).unwrap();
        overlay.write(2, &[8; 512]).unwrap();
        let mut all = vec![0; 2048];
        overlay.read(0, &mut all).unwrap();
        assert_eq!((all[0], all[512], all[1024], all[1536]), (1, 7, 8, 1));
        let log = overlay.take_log();
        assert_eq!(log[0], (2, vec![8; 512]));
        assert_eq!(log[1], (1, vec![7; 512]));
        assert!(overlay.take_log().is_empty());
        assert_eq!(disk, before);
    }

    #[test]
    fn a_sector_behind_the_end_is_refused() {
        let mut disk = Memory::new(512, vec![0; 1000]);
        assert_eq!(disk.sectors(), 1);
        assert!(disk.read(1, &mut [0; 512]).is_err());
        assert!(disk.write(u64::MAX, &[0; 512]).is_err());
        assert!(Overlay::new(&mut disk).write(1, &[0; 512]).is_err());
    }
}
