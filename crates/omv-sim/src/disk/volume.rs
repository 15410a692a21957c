//! A FAT volume on a medium: which ones the camera takes, and the stream an outside crate reads.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::medium::{Medium, MediumError, Shared, check};

/// Where a volume lies on its medium, in blocks.
#[derive(Clone, Debug)]
pub struct Volume {
    medium: Shared,
    start: u64,
    blocks: u64,
}

impl Volume {
    /// Looks for a volume as the camera does: block 0 is a boot sector, or a table of whose four
    /// entries the first that leads to one is taken.
    ///
    /// Source: micropython lib/oofatfs/ff.c `find_volume`, `check_fs`.
    pub fn find(medium: &Shared) -> Option<Self> {
        let mut medium = medium.clone();
        let size = medium.block_size();
        let mut block = vec![0; size];
        medium.read(0, &mut block).ok()?;
        let mut starts = vec![0];
        if ends_well(&block) && !is_boot_sector(&block) {
            let entries = block[446..510].chunks(16);
            let used = entries.filter(|entry| entry[4] != 0);
            starts = used.map(|entry| word(entry, 8).into()).collect();
        }
        for start in starts {
            let read = medium.read(start, &mut block);
            if read.is_err() || !is_boot_sector(&block) {
                continue;
            }
            if let Some(blocks) = fitting(&block, size)
                && start + blocks <= medium.blocks()
            {
                return Some(Self {
                    medium,
                    start,
                    blocks,
                });
            }
        }
        None
    }

    /// Whether a file system says of itself that it has no free cluster, and is believed.
    pub fn claims_to_be_full(&self) -> bool {
        let mut medium = self.medium.clone();
        let mut block = vec![0; medium.block_size()];
        if medium.read(self.start, &mut block).is_err() || &block[82..87] != b"FAT32" {
            return false;
        }
        let info = u64::from(u16::from_le_bytes([block[48], block[49]]));
        let read = medium.read(self.start + info, &mut block);
        let signed = word(&block, 0) == 0x4161_5252 && word(&block, 484) == 0x6141_7272;
        read.is_ok() && signed && word(&block, 488) == 0
    }

    /// Does a change in memory, and then writes its blocks in the order of the firmware's own file
    /// system: a new entry before the old one is gone. What somebody else's FAT does in between is
    /// not seen by a disk that loses power.
    ///
    /// Source: micropython lib/oofatfs/ff.c `f_rename`.
    pub fn staged<E: From<io::Error>>(
        &self,
        change: impl FnOnce(&Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let blocks = Arc::default();
        let medium = Shared::new(Staged {
            below: self.medium.clone(),
            blocks: Arc::clone(&blocks),
        });
        change(&Self {
            medium,
            ..self.clone()
        })?;
        let mut medium = self.medium.clone();
        let changed = std::mem::take(&mut *blocks.lock().unwrap_or_else(PoisonError::into_inner));
        let mut changed: Vec<_> = changed.into_iter().collect();
        let freed = |block: &[u8]| block.chunks(32).filter(|slot| slot[0] == 0xE5).count();
        changed.sort_by_key(|(_, block)| freed(block));
        for (number, block) in changed {
            medium.write(number, &block).map_err(io::Error::from)?;
        }
        medium.sync().map_err(io::Error::from)?;
        Ok(())
    }

    /// Opens the file system for a moment.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(&self) -> io::Result<fatfs::FileSystem<Stream>> {
        let size = self.medium.block_size();
        let stream = Stream {
            volume: self.clone(),
            at: 0,
            block: vec![0; size],
            holds: None,
            changed: false,
        };
        fatfs::FileSystem::new(stream, fatfs::FsOptions::new())
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn ends_well(block: &[u8]) -> bool {
    block[510..512] == [0x55, 0xAA]
}

fn is_boot_sector(block: &[u8]) -> bool {
    let jumps = matches!(block[0], 0xEB | 0xE9 | 0xE8);
    let named = &block[54..57] == b"FAT" || &block[82..87] == b"FAT32";
    ends_well(block) && jumps && named
}

/// Blocks of a volume whose boot sector holds together.
fn fitting(boot: &[u8], size: usize) -> Option<u64> {
    let half = |at: usize| u32::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    let cluster = u32::from(boot[13]);
    let (reserved, fats, roots) = (half(14), u32::from(boot[16]), half(17));
    let either = |short: u32, long: u32| if short != 0 { short } else { long };
    let total = either(half(19), word(boot, 32));
    let fat = either(half(22), word(boot, 36));
    let fine = half(11) as usize == size
        && matches!(fats, 1 | 2)
        && cluster.is_power_of_two()
        && reserved > 0
        && (roots as usize * 32).is_multiple_of(size);
    let system = u64::from(reserved)
        + u64::from(fats) * u64::from(fat)
        + u64::from(roots) * 32 / size as u64;
    let clusters = u64::from(total).checked_sub(system)? / u64::from(cluster.max(1));
    let bits = match clusters {
        0 => return None,
        1..=0xFF5 => 12,
        0xFF6..=0xFFF5 => 16,
        _ => 32,
    };
    let covered = u64::from(fat) * size as u64 * 8 >= (clusters + 2) * bits;
    let wide = bits == 32;
    let rooted = wide == (roots == 0) && (!wide || half(42) == 0);
    (fine && covered && rooted).then_some(total.into())
}

/// A medium whose changes stay in memory.
struct Staged {
    below: Shared,
    blocks: Arc<Mutex<BTreeMap<u64, Vec<u8>>>>,
}

impl Medium for Staged {
    fn block_size(&self) -> usize {
        self.below.block_size()
    }

    fn blocks(&self) -> u64 {
        self.below.blocks()
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.below.block_size();
        for (number, part) in (block..).zip(into.chunks_mut(size)) {
            match blocks.get(&number) {
                Some(bytes) => part.copy_from_slice(bytes),
                None => self.below.read(number, part)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        check(self, block, bytes.len())?;
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = bytes.chunks(self.below.block_size());
        blocks.extend((block..).zip(parts.map(<[u8]>::to_vec)));
        Ok(())
    }
}

/// The bytes of a volume, one block at a time.
pub struct Stream {
    volume: Volume,
    at: u64,
    block: Vec<u8>,
    /// Which block that is.
    holds: Option<u64>,
    changed: bool,
}

impl Stream {
    fn store(&mut self) -> io::Result<()> {
        if let Some(number) = self.holds.filter(|_| self.changed) {
            let start = self.volume.start;
            self.volume.medium.write(start + number, &self.block)?;
            self.changed = false;
        }
        Ok(())
    }

    /// Bytes from here to the end of the block; none at the end of the volume.
    fn hold(&mut self) -> io::Result<std::ops::Range<usize>> {
        let size = self.block.len() as u64;
        let number = self.at / size;
        if number >= self.volume.blocks {
            return Ok(0..0);
        }
        if self.holds != Some(number) {
            self.store()?;
            self.holds = None;
            let start = self.volume.start;
            self.volume.medium.read(start + number, &mut self.block)?;
            self.holds = Some(number);
        }
        Ok((self.at % size) as usize..self.block.len())
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let range = self.hold()?;
        let count = range.len().min(into.len());
        into[..count].copy_from_slice(&self.block[range.start..range.start + count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let range = self.hold()?;
        let count = range.len().min(bytes.len());
        self.block[range.start..range.start + count].copy_from_slice(&bytes[..count]);
        self.changed |= count > 0;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.store()?;
        Ok(self.volume.medium.sync()?)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let size = self.block.len() as u64 * self.volume.blocks;
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The file system flushes before; what is left here failed there, too.
        let _ = self.store();
    }
}
