//! How the camera's own firmware formats its internal disk, byte for byte, and what it puts there.
//!
//! ```text
//!   sector 0     boot sector: EB FE 90 "MSDOS5.0", label text "NO NAME", 1 FAT, 512 root entries
//!   1 ...        the one FAT: FAT12, or FAT16 where there are too many clusters
//!   ...          root: OPENMV (label), MAIN.PY (case flags 18), README.TXT (10), .openmv_disk
//!   ...          clusters
//! ```
//!
//! Sources: micropython lib/oofatfs/ff.c (R0.13c) `f_mkfs`; openmv/openmv
//! scripts/libraries/_boot.py for what is put there.

use super::{Medium, MediumError};

/// What the script does that a fresh disk has: the blue light beats like a heart.
const MAIN: &[u8] = b"import time\nfrom machine import LED\n\nled = LED(\"LED_BLUE\")\n\nwhile True:\n    for wait in (90, 120, 90, 700):\n        led.toggle()\n        time.sleep_ms(wait)\n";
const README: &[u8] = b"The disk of a virtual OpenMV camera.\r\n";
/// Entries of the root directory.
const ROOT_ENTRIES: usize = 512;
/// Most clusters of a FAT12 volume.
const MOST_FAT12: usize = 0xFF5;
/// Cluster sizes: twice as large each time the volume has this many more 4096-sector units.
const STEPS: [usize; 6] = [1, 4, 16, 64, 256, 512];

/// A moment as FAT keeps it: `date u16 | time u16`, the date in the upper half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub u32);

impl Default for Stamp {
    /// 2015-01-01: what a clock without a battery says after power-on.
    fn default() -> Self {
        Self((35 << 9 | 1 << 5 | 1) << 16)
    }
}

/// Formats a volume of `blocks` blocks that begins at `start`, and puts the first files there.
///
/// # Errors
/// [`MediumError`].
pub fn format_internal(
    medium: &mut dyn Medium,
    start: u64,
    stamp: Stamp,
) -> Result<(), MediumError> {
    let sector = medium.block_size();
    let total = (medium.blocks() - start) as usize;
    let plan = Plan::new(sector, total);
    let mut system = vec![0; plan.data * sector];
    system[..sector].copy_from_slice(&boot_sector(sector, total, start, &plan, stamp));
    let mut fat = Fat {
        cells: vec![plan.first_cell(), plan.end_mark()],
        plan,
    };
    let root = plan.root * sector;
    let mut entries = vec![entry(b"OPENMV     ", 0x08, 0, stamp, 0, 0)];
    let mut contents = Vec::new();
    for (name, flags, content) in [(b"MAIN    PY ", 0x18, MAIN), (b"README  TXT", 0x10, README)] {
        let cluster = fat.chain(content.len(), sector);
        let size = content.len() as u32;
        entries.push(entry(name, 0x20, flags, stamp, cluster, size));
        contents.push((cluster, content));
    }
    entries.push(long_name(".openmv_disk", b"~1      OPE"));
    entries.push(entry(b"~1      OPE", 0x20, 0, stamp, 0, 0));
    for (number, bytes) in entries.iter().enumerate() {
        system[root + 32 * number..][..32].copy_from_slice(bytes);
    }
    let table = fat.bytes();
    system[sector..][..table.len()].copy_from_slice(&table);
    medium.write(start, &system)?;
    for (cluster, content) in contents {
        let size = plan.cluster * sector;
        let mut bytes = content.to_vec();
        bytes.resize(bytes.len().next_multiple_of(size), 0);
        let at = plan.data + (cluster as usize - 2) * plan.cluster;
        medium.write(start + at as u64, &bytes)?;
    }
    medium.sync()
}

/// Where things lie, in sectors from the start of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    wide: bool,
    cluster: usize,
    fat: usize,
    root: usize,
    data: usize,
}

impl Plan {
    fn new(sector: usize, total: usize) -> Self {
        let units = total / 4096;
        let steps = STEPS.iter().take_while(|step| **step <= units).count();
        let cluster = 1 << steps;
        let clusters = total / cluster;
        let wide = clusters > MOST_FAT12;
        let bytes = match wide {
            true => clusters * 2 + 4,
            false => (clusters * 3).div_ceil(2) + 3,
        };
        let fat = bytes.div_ceil(sector);
        let root = 1 + fat;
        Self {
            wide,
            cluster,
            fat,
            root,
            data: root + ROOT_ENTRIES * 32 / sector,
        }
    }

    fn first_cell(&self) -> u16 {
        if self.wide { 0xFFF8 } else { 0xFF8 }
    }

    fn end_mark(&self) -> u16 {
        if self.wide { 0xFFFF } else { 0xFFF }
    }
}

/// The table of clusters, as far as it is used.
struct Fat {
    cells: Vec<u16>,
    plan: Plan,
}

impl Fat {
    /// Takes as many clusters as the bytes need; the first of them.
    fn chain(&mut self, bytes: usize, sector: usize) -> u16 {
        let first = self.cells.len();
        let count = bytes.div_ceil(self.plan.cluster * sector);
        self.cells
            .extend((1..count).map(|step| (first + step) as u16));
        self.cells.push(self.plan.end_mark());
        first as u16
    }

    fn bytes(&self) -> Vec<u8> {
        if self.plan.wide {
            return self
                .cells
                .iter()
                .flat_map(|cell| cell.to_le_bytes())
                .collect();
        }
        let pair = |pair: &[u16]| {
            let (even, odd) = (pair[0], pair.get(1).copied().unwrap_or(0));
            [
                even as u8,
                (even >> 8) as u8 | (odd << 4) as u8,
                (odd >> 4) as u8,
            ]
        };
        self.cells.chunks(2).flat_map(pair).collect()
    }
}

fn boot_sector(sector: usize, total: usize, start: u64, plan: &Plan, stamp: Stamp) -> Vec<u8> {
    let mut boot = vec![0; sector];
    boot[..11].copy_from_slice(b"\xEB\xFE\x90MSDOS5.0");
    boot[11..13].copy_from_slice(&(sector as u16).to_le_bytes());
    boot[13] = plan.cluster as u8;
    boot[14] = 1;
    boot[16] = 1;
    boot[17..19].copy_from_slice(&(ROOT_ENTRIES as u16).to_le_bytes());
    match u16::try_from(total) {
        Ok(total) => boot[19..21].copy_from_slice(&total.to_le_bytes()),
        Err(_) => boot[32..36].copy_from_slice(&(total as u32).to_le_bytes()),
    }
    boot[21] = 0xF8;
    boot[22..24].copy_from_slice(&(plan.fat as u16).to_le_bytes());
    boot[24..26].copy_from_slice(&63_u16.to_le_bytes());
    boot[26..28].copy_from_slice(&255_u16.to_le_bytes());
    boot[28..32].copy_from_slice(&(start as u32).to_le_bytes());
    boot[36] = 0x80;
    boot[38] = 0x29;
    boot[39..43].copy_from_slice(&stamp.0.to_le_bytes());
    boot[43..62].copy_from_slice(b"NO NAME    FAT     ");
    boot[510..512].copy_from_slice(&[0x55, 0xAA]);
    boot
}

/// A directory entry with a short name.
fn entry(name: &[u8; 11], kind: u8, flags: u8, stamp: Stamp, cluster: u16, size: u32) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..11].copy_from_slice(name);
    bytes[11] = kind;
    bytes[12] = flags;
    bytes[22..26].copy_from_slice(&stamp.0.to_le_bytes());
    bytes[26..28].copy_from_slice(&cluster.to_le_bytes());
    bytes[28..32].copy_from_slice(&size.to_le_bytes());
    bytes
}

/// The one entry that holds a long name of up to 13 characters.
fn long_name(name: &str, short: &[u8; 11]) -> [u8; 32] {
    const PLACES: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
    let mut bytes = [0; 32];
    bytes[0] = 0x41;
    bytes[11] = 0x0F;
    bytes[13] = short
        .iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let mut units = name.encode_utf16().chain([0]);
    for place in PLACES {
        let unit = units.next().unwrap_or(0xFFFF);
        bytes[place..place + 2].copy_from_slice(&unit.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medium::MemoryCard;

    #[test]
    fn the_volumes_have_the_sizes_that_were_read_on_cameras() {
        // RT1062: 1018 clusters of 4096 from sector 6 on. H7: 222 of 512.
        let rt1062 = Plan::new(4096, 1024);
        assert_eq!((rt1062.cluster, rt1062.fat, rt1062.data), (1, 1, 6));
        assert_eq!(1024 - rt1062.data, 1018);
        let h7 = Plan::new(512, 256);
        assert_eq!((h7.cluster, h7.fat, 256 - h7.data), (1, 1, 222));
        assert!(!h7.wide);
        let h7plus = Plan::new(512, 49_152);
        assert!(h7plus.wide);
    }

    #[test]
    fn a_formatted_disk_is_read_by_somebody_elses_fat() {
        let mut card = MemoryCard::blank(256);
        format_internal(&mut card, 0, Stamp::default()).unwrap();
        let mut bytes = vec![0; 256 * 512];
        card.read(0, &mut bytes).unwrap();
        let system = fatfs::FileSystem::new(std::io::Cursor::new(bytes), fatfs::FsOptions::new());
        let system = system.unwrap();
        assert_eq!(system.fat_type(), fatfs::FatType::Fat12);
        let mut names: Vec<_> = system
            .root_dir()
            .iter()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), entry.len()))
            .collect();
        names.sort();
        let wanted = [
            (".openmv_disk", 0),
            ("README.txt", README.len()),
            ("main.py", MAIN.len()),
        ];
        assert_eq!(
            names,
            wanted.map(|(name, size)| (name.to_owned(), size as u64))
        );
    }
}
