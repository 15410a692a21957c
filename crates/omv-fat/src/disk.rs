//! A disk addressed in bytes, which never fails to be read: what the medium does not give is
//! zeros, and it is remembered that it was not given.

use crate::{Fault, Sectors};

/// Unreadable sectors that are remembered by number.
const REMEMBERED: usize = 256;

/// Reads and writes at any byte.
pub(crate) struct Disk<'a> {
    device: &'a mut dyn Sectors,
    sector: u64,
    size: u64,
    /// Sectors that could not be read, the first few of them.
    pub unreadable: Vec<u64>,
    /// How many there were, every time one was asked for.
    pub failures: u64,
}

impl<'a> Disk<'a> {
    pub fn new(device: &'a mut dyn Sectors) -> Self {
        let sector = u64::from(device.sector_size().clamp(1, 1 << 16));
        let size = device.sectors().saturating_mul(sector);
        Self {
            device,
            sector,
            size,
            unreadable: Vec::new(),
            failures: 0,
        }
    }

    /// Bytes on the disk.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes in a sector of the device.
    pub fn sector(&self) -> u64 {
        self.sector
    }

    /// Reads bytes; those behind the end or on bad sectors are zeros. Says whether all were read.
    pub fn read(&mut self, at: u64, into: &mut [u8]) -> bool {
        if into.is_empty() {
            return true;
        }
        let end = at.saturating_add(into.len() as u64);
        let whole = at.is_multiple_of(self.sector) && end.is_multiple_of(self.sector);
        if whole && end <= self.size && self.device.read(at / self.sector, into).is_ok() {
            return true;
        }
        into.fill(0);
        let mut all = end <= self.size;
        let last = end.min(self.size);
        // A bounded piece at a time; and one sector at a time where a piece fails.
        let most = (64 << 10) / self.sector;
        let mut sector = at / self.sector;
        let mut buffer = Vec::new();
        while sector * self.sector < last {
            let count = (last.div_ceil(self.sector) - sector).min(most.max(1));
            buffer.clear();
            buffer.resize((count * self.sector) as usize, 0);
            if self.device.read(sector, &mut buffer).is_err() {
                for one in 0..count {
                    let place = (one * self.sector) as usize..((one + 1) * self.sector) as usize;
                    let piece = &mut buffer[place];
                    if self.device.read(sector + one, piece).is_err() {
                        piece.fill(0);
                        self.remember(sector + one);
                        all = false;
                    }
                }
            }
            copy_common(sector * self.sector, &buffer, at, into);
            sector += count;
        }
        all
    }

    fn remember(&mut self, sector: u64) {
        self.failures += 1;
        if self.unreadable.len() < REMEMBERED && !self.unreadable.contains(&sector) {
            self.unreadable.push(sector);
        }
    }

    /// A few bytes.
    pub fn bytes(&mut self, at: u64, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.read(at, &mut bytes);
        bytes
    }

    /// Writes bytes: whole sectors, the rest of which stays as it is.
    pub fn write(&mut self, at: u64, from: &[u8]) -> Result<(), Fault> {
        let end = at.saturating_add(from.len() as u64);
        if end > self.size {
            let sector = end / self.sector;
            return Err(Fault::PastEnd { sector });
        }
        for sector in at / self.sector..end.div_ceil(self.sector) {
            let start = sector * self.sector;
            let mut bytes = vec![0; self.sector as usize];
            if !self.read(start, &mut bytes) {
                // It could not be read, so nothing that was in it is lost.
                bytes.fill(0);
            }
            copy_common(at, from, start, &mut bytes);
            self.device.write(sector, &bytes)?;
        }
        Ok(())
    }
}

/// Copies what two pieces of the disk have in common, each given by its first byte's address.
fn copy_common(from_at: u64, from: &[u8], into_at: u64, into: &mut [u8]) {
    let start = from_at.max(into_at);
    let end = (from_at + from.len() as u64).min(into_at + into.len() as u64);
    if start < end {
        let length = (end - start) as usize;
        let (source, target) = ((start - from_at) as usize, (start - into_at) as usize);
        into[target..target + length].copy_from_slice(&from[source..source + length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn bytes_across_sectors_are_read_and_written_and_the_rest_stays() {
        let mut memory = Memory::new(512, (0..2048).map(|at| at as u8).collect());
        let mut disk = Disk::new(&mut memory);
        assert_eq!(disk.bytes(510, 4), [254, 255, 0, 1]);
        disk.write(510, &[1, 2, 3, 4]).unwrap();
        assert_eq!(disk.bytes(509, 6), [253, 1, 2, 3, 4, 2]);
        assert!(disk.write(2047, &[0, 0]).is_err());
        let mut edge = [9; 4];
        assert!(!disk.read(2046, &mut edge));
        assert_eq!(edge, [254, 255, 0, 0]);
    }
}
