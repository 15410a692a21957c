//! The allocation table: entries of 12, 16, 28 or 32 bits behind one face, read in windows.

use crate::disk::Disk;
use crate::{Fault, Form, Volume};

/// A chain ends.
pub(crate) const END: u32 = u32::MAX;
/// A cluster is marked bad.
pub(crate) const BAD: u32 = u32::MAX - 1;

/// Bytes of a window. A multiple of 3, of 2 and of 4, so that no entry straddles two.
const WINDOW: u64 = 48 << 10;
/// Windows that are remembered.
const WINDOWS: usize = 24;

/// The table of a volume.
pub(crate) struct Table {
    form: Form,
    at: u64,
    bytes: u64,
    fats: u8,
    limit: u32,
    windows: Vec<(u64, Vec<u8>)>,
    /// The window that was used last.
    last: usize,
    next: usize,
}

impl Table {
    /// The copy the camera reads: the first, or FAT32's active one.
    pub fn new(volume: &Volume) -> Self {
        Self {
            form: volume.form,
            at: volume.fat,
            bytes: volume.fat_bytes,
            fats: volume.fats,
            limit: volume.limit(),
            windows: Vec::new(),
            last: 0,
            next: 0,
        }
    }

    /// Where an entry begins, in bytes from the table's begin.
    fn offset(&self, cluster: u32) -> u64 {
        let cluster = u64::from(cluster);
        match self.form {
            Form::Fat12 => cluster + cluster / 2,
            Form::Fat16 => cluster * 2,
            Form::Fat32 | Form::Exfat => cluster * 4,
        }
    }

    /// The raw value of an entry: unchanged bits, without FAT32's four upper ones.
    fn decode(&self, cluster: u32, bytes: [u8; 4]) -> u32 {
        let value = u32::from_le_bytes(bytes);
        match self.form {
            Form::Fat12 if cluster % 2 == 1 => (value & 0xFFFF) >> 4,
            Form::Fat12 => value & 0xFFF,
            Form::Fat16 => value & 0xFFFF,
            Form::Fat32 => value & 0x0FFF_FFFF,
            Form::Exfat => value,
        }
    }

    /// What a raw value means: 0, 1, a cluster, [`BAD`] or [`END`].
    fn meaning(&self, raw: u32) -> u32 {
        let (bad, end) = match self.form {
            Form::Fat12 => (0xFF7, 0xFF8..=0xFFF),
            Form::Fat16 => (0xFFF7, 0xFFF8..=0xFFFF),
            Form::Fat32 => (0x0FFF_FFF7, 0x0FFF_FFF8..=0x0FFF_FFFF),
            Form::Exfat => (0xFFFF_FFF7, 0xFFFF_FFFF..=0xFFFF_FFFF),
        };
        match raw {
            _ if raw == bad => BAD,
            _ if end.contains(&raw) => END,
            // exFAT's values between the two mean nothing; they must not look like our marks.
            0xFFFF_FFF0.. => 0xFFFF_FFF0,
            _ => raw,
        }
    }

    fn window(&mut self, disk: &mut Disk<'_>, offset: u64) -> &[u8] {
        let base = offset - offset % WINDOW;
        let hit = self
            .windows
            .get(self.last)
            .is_some_and(|(at, _)| *at == base);
        if !hit {
            match self.windows.iter().position(|(at, _)| *at == base) {
                Some(at) => self.last = at,
                None => {
                    let length = WINDOW.min(self.bytes.saturating_sub(base)) as usize;
                    let bytes = disk.bytes(self.at + base, length);
                    if self.windows.len() < WINDOWS {
                        self.last = self.windows.len();
                        self.windows.push((base, bytes));
                    } else {
                        self.last = self.next;
                        self.next = (self.next + 1) % WINDOWS;
                        self.windows[self.last] = (base, bytes);
                    }
                }
            }
        }
        let start = (offset - base) as usize;
        self.windows[self.last].1.get(start..).unwrap_or(&[])
    }

    /// The raw value of any entry, also of the two at the begin.
    pub fn raw(&mut self, disk: &mut Disk<'_>, cluster: u32) -> u32 {
        let offset = self.offset(cluster);
        let bytes = self.window(disk, offset);
        let mut entry = [0; 4];
        let count = bytes.len().min(4);
        entry[..count].copy_from_slice(&bytes[..count]);
        self.decode(cluster, entry)
    }

    /// What follows a cluster.
    pub fn get(&mut self, disk: &mut Disk<'_>, cluster: u32) -> u32 {
        if cluster >= self.limit {
            return 0;
        }
        let raw = self.raw(disk, cluster);
        self.meaning(raw)
    }

    /// All entries in order: cluster and meaning. Reads the table once.
    pub fn scan(&mut self, disk: &mut Disk<'_>, mut each: impl FnMut(u32, u32)) {
        let mut cluster = 2;
        let mut buffer = vec![0; WINDOW as usize];
        let mut base = 0;
        while base < self.bytes && cluster < self.limit {
            let length = WINDOW.min(self.bytes - base);
            disk.read(self.at + base, &mut buffer[..length as usize]);
            while cluster < self.limit {
                let start = self.offset(cluster) - base;
                if start >= length {
                    break;
                }
                let bytes = &buffer[start as usize..length as usize];
                let mut entry = [0; 4];
                let count = bytes.len().min(4);
                entry[..count].copy_from_slice(&bytes[..count]);
                each(cluster, self.meaning(self.decode(cluster, entry)));
                cluster += 1;
            }
            base += length;
        }
    }

    /// Sets an entry in all copies; FAT32's upper bits stay.
    pub fn set(&mut self, disk: &mut Disk<'_>, cluster: u32, value: u32) -> Result<(), Fault> {
        if cluster >= self.limit {
            return Ok(());
        }
        let offset = self.offset(cluster);
        for copy in 0..u64::from(self.fats) {
            let at = self.at + copy * self.bytes + offset;
            let width = if matches!(self.form, Form::Fat12 | Form::Fat16) {
                2
            } else {
                4
            };
            let mut old = [0; 4];
            disk.read(at, &mut old[..width]);
            let old = u32::from_le_bytes(old);
            let new = match self.form {
                Form::Fat12 if cluster % 2 == 1 => old & 0xF | (value & 0xFFF) << 4,
                Form::Fat12 => old & 0xF000 | value & 0xFFF,
                Form::Fat16 | Form::Exfat => value,
                Form::Fat32 => old & 0xF000_0000 | value & 0x0FFF_FFFF,
            };
            disk.write(at, &new.to_le_bytes()[..width])?;
        }
        self.windows.clear();
        Ok(())
    }

    /// Ranges of bytes, a sector each, in which the second copy differs from the first. At most
    /// `most` are named; the number of all is counted.
    pub fn differences(&self, disk: &mut Disk<'_>, sector: u64, most: usize) -> (Vec<u64>, u64) {
        let (mut named, mut count) = (Vec::new(), 0);
        if self.fats < 2 {
            return (named, count);
        }
        let (mut one, mut two) = (vec![0; WINDOW as usize], vec![0; WINDOW as usize]);
        let step = (WINDOW - WINDOW % sector).max(sector);
        let mut base = 0;
        while base < self.bytes {
            let length = step.min(self.bytes - base) as usize;
            disk.read(self.at + base, &mut one[..length]);
            disk.read(self.at + self.bytes + base, &mut two[..length]);
            if one[..length] != two[..length] {
                let pieces = one[..length].chunks(sector as usize);
                for (at, (a, b)) in pieces
                    .zip(two[..length].chunks(sector as usize))
                    .enumerate()
                {
                    if a != b {
                        count += 1;
                        if named.len() < most {
                            named.push(base + at as u64 * sector);
                        }
                    }
                }
            }
            base += length as u64;
        }
        (named, count)
    }
}
