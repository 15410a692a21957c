//! New volumes, as the SD Association lays them out: an MBR, one partition, everything aligned.
//!
//! The label stands in both places, the type text is there, and there are two tables: a disk that
//! cameras and PCs both take.
//!
//! Cluster sizes: SD Specifications part 2, File System 3.00, the tables of SDSC, SDHC and SDXC.

use crate::bytes::put;
use crate::disk::Disk;
use crate::read::{Upcase, name_hash, set_checksum};
use crate::{Fault, Form, Sectors, name};

/// Where partitions and data begin: at multiples of this.
const ALIGNED: u64 = 4 << 20;
/// 1 January 1980.
const DATE: u16 = 0x21;

/// Whether there is a partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// One partition in an MBR.
    Mbr,
    /// The volume begins with the disk.
    Whole,
}

/// What to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blueprint {
    /// Which file system; `None` takes the one for the size of the disk.
    pub form: Option<Form>,
    /// With a partition table or without.
    pub scheme: Scheme,
    /// At most eleven letters, digits, `_` and `-`.
    pub label: String,
    /// A number by which PCs know the volume again.
    pub serial: u32,
    /// Names of empty files in the root.
    pub files: Vec<String>,
}

/// Where everything goes. Sectors, counted from the volume's begin.
struct Plan {
    form: Form,
    start: u64,
    sectors: u64,
    sector: u64,
    per_cluster: u64,
    reserved: u64,
    fat: u64,
    fats: u64,
    root: u64,
    clusters: u64,
}

impl Plan {
    fn data(&self) -> u64 {
        self.reserved + self.fats * self.fat + self.root
    }
}

/// The file system for a disk of so many bytes.
fn usual(bytes: u64) -> Form {
    match bytes {
        0..0x0500_0000 => Form::Fat12,
        0x0500_0000..0x8000_0000 => Form::Fat16,
        // 32 GB cards have up to 32 GiB.
        0x8000_0000..=0x8_0000_0000 => Form::Fat32,
        _ => Form::Exfat,
    }
}

/// Bytes in a cluster.
fn cluster(form: Form, bytes: u64) -> u64 {
    match (form, bytes) {
        (Form::Fat12, ..0x0080_0000) => 4 << 10,
        (Form::Fat12, ..0x0400_0000) => 16 << 10,
        (Form::Fat12, _) => 32 << 10,
        (Form::Fat16, ..0x4000_0000) => 16 << 10,
        (Form::Fat16 | Form::Fat32, 0x4000_0000..) => 32 << 10,
        // Smaller clusters, or FAT32 would have too few of them.
        (Form::Fat32, ..0x1000_0000) => 512,
        (Form::Fat32, _) => 4 << 10,
        (Form::Exfat, ..0x1000_0000) => 4 << 10,
        (Form::Exfat, ..0x8_0000_0000) => 32 << 10,
        (Form::Exfat, ..=0x80_0000_0000) => 128 << 10,
        (Form::Exfat, _) => 256 << 10,
    }
}

fn layout(disk: &Disk<'_>, wish: &Blueprint) -> Result<Plan, Fault> {
    let bad = Fault::BadSize { bytes: disk.size() };
    let sector = disk.sector();
    let small = disk.size() < 4 * ALIGNED;
    let start = match wish.scheme {
        Scheme::Mbr if small => 64 * sector,
        Scheme::Mbr => ALIGNED,
        Scheme::Whole => 0,
    };
    let form = wish.form.unwrap_or(usual(disk.size()));
    let bytes = disk.size().checked_sub(start).ok_or(bad)?;
    let sectors = bytes / sector;
    let per_cluster = (cluster(form, bytes) / sector).max(1);
    if form != Form::Exfat && sectors > u32::MAX.into() {
        return Err(bad);
    }
    let entries = match form {
        Form::Fat12 | Form::Fat16 => 512,
        Form::Fat32 | Form::Exfat => 0,
    };
    let root = (entries * 32_u64).div_ceil(sector);
    let (least, fats) = match form {
        Form::Fat32 => (32, 2),
        Form::Exfat => (24, 1),
        _ => (1, 2),
    };
    // The table for as many clusters as there would be without it is long enough.
    let most = sectors / per_cluster + 2;
    let fat = match form {
        Form::Fat12 => (most * 3).div_ceil(2),
        Form::Fat16 => most * 2,
        _ => most * 4,
    };
    let fat = fat.div_ceil(sector);
    let mut plan = Plan {
        form,
        start,
        sectors,
        sector,
        per_cluster,
        reserved: least,
        fat,
        fats,
        root,
        clusters: 0,
    };
    if !small {
        let unit = ALIGNED / sector;
        plan.reserved += plan.data().next_multiple_of(unit) - plan.data();
    }
    plan.clusters = sectors.checked_sub(plan.data()).ok_or(bad)? / per_cluster;
    let fits = match form {
        Form::Fat12 => (1..4085).contains(&plan.clusters),
        Form::Fat16 => (4086..65_525).contains(&plan.clusters),
        Form::Fat32 => (65_526..0x0FFF_FFF0).contains(&plan.clusters),
        Form::Exfat => (16..0xFFFF_FFF0).contains(&plan.clusters) && sectors >= 2048,
    };
    fits.then_some(plan).ok_or(bad)
}

/// Makes a new, empty volume. What was on the disk is lost.
///
/// The boot sector comes last, and the partition table after it: a disk on which this was
/// interrupted is an empty one and not half of two.
///
/// # Errors
/// When the disk has not the size for it, or cannot be written.
pub fn format(device: &mut dyn Sectors, wish: &Blueprint) -> Result<(), Fault> {
    {
        let mut disk = Disk::new(&mut *device);
        let plan = layout(&disk, wish)?;
        let label = label(&wish.label);
        // Whatever could be taken for the old volume, and the GPT's copy at the end.
        let zeros = vec![0; 64 << 10];
        disk.write(
            0,
            &zeros[..(34 * plan.sector).min(64 << 10).min(disk.size()) as usize],
        )?;
        let tail = (33 * plan.sector).min(disk.size()).min(64 << 10);
        disk.write(disk.size() - tail, &zeros[..tail as usize])?;
        let mut at = plan.start;
        // exFAT's first clusters are written with what belongs there.
        let end = plan.start
            + (plan.data()
                + if plan.form == Form::Fat32 {
                    plan.per_cluster
                } else {
                    0
                })
                * plan.sector;
        while at < end {
            let length = (end - at).min(zeros.len() as u64) as usize;
            disk.write(at, &zeros[..length])?;
            at += length as u64;
        }
        match plan.form {
            Form::Exfat => exfat(&mut disk, &plan, wish, &label)?,
            _ => fat(&mut disk, &plan, wish, &label)?,
        }
        if wish.scheme == Scheme::Mbr {
            disk.write(446, &mbr(&plan))?;
        }
    }
    device.flush()
}

fn label(text: &str) -> [u8; 11] {
    let mut label = [b' '; 11];
    let letters = text.bytes().map(|byte| byte.to_ascii_uppercase());
    let good = letters.filter(|byte| byte.is_ascii_alphanumeric() || b"_- ".contains(byte));
    for (place, byte) in label.iter_mut().zip(good) {
        *place = byte;
    }
    label
}

/// The one entry of the table and its signature.
fn mbr(plan: &Plan) -> Vec<u8> {
    let mut entry = vec![0; 66];
    let kind = match plan.form {
        Form::Fat12 => 0x01,
        Form::Fat16 => 0x06,
        Form::Fat32 => 0x0C,
        Form::Exfat => 0x07,
    };
    put(&mut entry, 1, &[0xFE, 0xFF, 0xFF, kind, 0xFE, 0xFF, 0xFF]);
    put(
        &mut entry,
        8,
        &((plan.start / plan.sector) as u32).to_le_bytes(),
    );
    put(
        &mut entry,
        12,
        &(plan.sectors.min(u32::MAX.into()) as u32).to_le_bytes(),
    );
    put(&mut entry, 64, &[0x55, 0xAA]);
    entry
}

fn short_entry(raw: &[u8], attributes: u8) -> Vec<u8> {
    let mut entry = vec![0; 32];
    put(&mut entry, 0, raw);
    put(&mut entry, 11, &[attributes]);
    for at in [16, 18, 24] {
        put(&mut entry, at, &DATE.to_le_bytes());
    }
    entry
}

/// The entries of an empty file with a long name.
fn long_entries(text: &str, number: usize) -> Vec<u8> {
    let mut raw = *b"FILE       ";
    let letters = text
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_uppercase());
    for (place, byte) in raw.iter_mut().zip(letters.take(6)) {
        *place = byte;
    }
    put(&mut raw, 6, format!("~{}", number % 9 + 1).as_bytes());
    let sum = name::checksum(&raw);
    let mut units: Vec<u16> = text.encode_utf16().take(255).collect();
    let parts = units.len().div_ceil(13);
    if !units.len().is_multiple_of(13) {
        units.push(0);
    }
    units.resize(parts * 13, 0xFFFF);
    let mut entries = Vec::new();
    for part in (0..parts).rev() {
        let mut entry = vec![0; 32];
        let last = if part + 1 == parts { 0x40 } else { 0 };
        put(&mut entry, 0, &[last | (part + 1) as u8]);
        put(&mut entry, 11, &[0x0F, 0, sum]);
        for (at, unit) in units[part * 13..][..13].iter().enumerate() {
            let place = match at {
                0..5 => 1 + at * 2,
                5..11 => 14 + (at - 5) * 2,
                _ => 28 + (at - 11) * 2,
            };
            put(&mut entry, place, &unit.to_le_bytes());
        }
        entries.extend(entry);
    }
    entries.extend(short_entry(&raw, 0x20));
    entries
}

fn fat(disk: &mut Disk<'_>, plan: &Plan, wish: &Blueprint, label: &[u8; 11]) -> Result<(), Fault> {
    let is32 = plan.form == Form::Fat32;
    let at = |sector: u64| plan.start + sector * plan.sector;
    let mut root = Vec::new();
    root.extend(short_entry(label, 0x08));
    for (number, file) in wish.files.iter().enumerate() {
        root.extend(long_entries(file, number));
    }
    let place = if is32 {
        plan.data()
    } else {
        plan.reserved + plan.fats * plan.fat
    };
    disk.write(at(place), &root)?;
    let head: &[u8] = match plan.form {
        Form::Fat12 => &[0xF8, 0xFF, 0xFF],
        Form::Fat16 => &[0xF8, 0xFF, 0xFF, 0xFF],
        _ => &[
            0xF8, 0xFF, 0xFF, 0x0F, 0xFF, 0xFF, 0xFF, 0x0F, 0xFF, 0xFF, 0xFF, 0x0F,
        ],
    };
    for copy in (0..plan.fats).rev() {
        disk.write(at(plan.reserved + copy * plan.fat), head)?;
    }
    let mut boot = vec![0; 512];
    put(&mut boot, 0, b"\xEB\xFE\x90MSDOS5.0");
    put(&mut boot, 11, &(plan.sector as u16).to_le_bytes());
    put(&mut boot, 13, &[plan.per_cluster as u8]);
    put(&mut boot, 14, &(plan.reserved as u16).to_le_bytes());
    put(&mut boot, 16, &[plan.fats as u8]);
    put(&mut boot, 17, &if is32 { 0_u16 } else { 512 }.to_le_bytes());
    if plan.sectors < 0x1_0000 && !is32 {
        put(&mut boot, 19, &(plan.sectors as u16).to_le_bytes());
    } else {
        put(&mut boot, 32, &(plan.sectors as u32).to_le_bytes());
    }
    put(&mut boot, 21, &[0xF8]);
    put(&mut boot, 24, &[63, 0, 255, 0]);
    put(
        &mut boot,
        28,
        &((plan.start / plan.sector) as u32).to_le_bytes(),
    );
    let tail = if is32 { 64 } else { 36 };
    if is32 {
        put(&mut boot, 36, &(plan.fat as u32).to_le_bytes());
        put(&mut boot, 44, &2_u32.to_le_bytes());
        put(&mut boot, 48, &[1, 0, 6, 0]);
    } else {
        put(&mut boot, 22, &(plan.fat as u16).to_le_bytes());
    }
    put(&mut boot, tail, &[0x80, 0, 0x29]);
    put(&mut boot, tail + 3, &wish.serial.to_le_bytes());
    put(&mut boot, tail + 7, label);
    let text: &[u8] = match plan.form {
        Form::Fat12 => b"FAT12   ",
        Form::Fat16 => b"FAT16   ",
        _ => b"FAT32   ",
    };
    put(&mut boot, tail + 18, text);
    put(&mut boot, 510, &[0x55, 0xAA]);
    if is32 {
        let mut info = vec![0; 512];
        put(&mut info, 0, &0x4161_5252_u32.to_le_bytes());
        put(&mut info, 484, &0x6141_7272_u32.to_le_bytes());
        put(&mut info, 488, &(plan.clusters as u32 - 1).to_le_bytes());
        put(&mut info, 492, &2_u32.to_le_bytes());
        put(&mut info, 508, &0xAA55_0000_u32.to_le_bytes());
        for number in [1, 7] {
            disk.write(at(number), &info)?;
        }
        disk.write(at(6), &boot)?;
    }
    disk.write(at(0), &boot)
}

/// The table of upper-case letters, made from Unicode's simple mappings. Runs of letters that
/// stay as they are take two units.
fn upcase() -> Vec<u8> {
    let upper = |unit: u16| {
        let letter = char::from_u32(unit.into())?;
        let mut mapped = letter.to_uppercase();
        let first = mapped.next().filter(|_| mapped.next().is_none())?;
        u16::try_from(u32::from(first)).ok()
    };
    let mut units: Vec<u16> = Vec::new();
    let mut same: u32 = 0;
    let flush = |same: &mut u32, units: &mut Vec<u16>, from: u32| {
        if *same > 2 {
            units.extend([0xFFFF, *same as u16]);
        } else {
            units.extend((from - *same..from).map(|unit| unit as u16));
        }
        *same = 0;
    };
    for unit in 0..=0xFFFF_u32 {
        let mapped = upper(unit as u16).unwrap_or(unit as u16);
        // The first 128 must be written out.
        if u32::from(mapped) == unit && unit >= 128 && same < 0xFFFF {
            same += 1;
        } else {
            flush(&mut same, &mut units, unit);
            units.push(mapped);
        }
    }
    flush(&mut same, &mut units, 0x1_0000);
    units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

fn exfat(
    disk: &mut Disk<'_>,
    plan: &Plan,
    wish: &Blueprint,
    label: &[u8; 11],
) -> Result<(), Fault> {
    let cluster = plan.per_cluster * plan.sector;
    let at =
        |number: u64| plan.start + (plan.data() + (number - 2) * plan.per_cluster) * plan.sector;
    let bitmap_bytes = plan.clusters.div_ceil(8);
    let table = upcase();
    let bitmap_clusters = bitmap_bytes.div_ceil(cluster);
    let upcase_at = 2 + bitmap_clusters;
    let root_at = upcase_at + (table.len() as u64).div_ceil(cluster);
    let used = root_at - 1;
    let sum = table.iter().fold(0_u32, |sum, byte| {
        sum.rotate_right(1).wrapping_add(u32::from(*byte))
    });

    // The bitmap, piece by piece: it may be megabytes.
    let mut done = 0;
    while done < bitmap_clusters * cluster {
        let length = (bitmap_clusters * cluster - done).min(64 << 10);
        let byte = |index: u64| {
            let set = used.saturating_sub(index * 8).min(8);
            ((1_u16 << set) - 1) as u8
        };
        let piece: Vec<u8> = (done..done + length).map(byte).collect();
        disk.write(at(2) + done, &piece)?;
        done += length;
    }
    let mut padded = table.clone();
    padded.resize(padded.len().next_multiple_of(cluster as usize), 0);
    disk.write(at(upcase_at), &padded)?;

    let mut root = vec![0; cluster as usize];
    let text = std::str::from_utf8(label)
        .unwrap_or("")
        .trim_end()
        .to_owned();
    let units: Vec<u16> = text.encode_utf16().collect();
    put(
        &mut root,
        0,
        &[
            if units.is_empty() { 0x03 } else { 0x83 },
            units.len() as u8,
        ],
    );
    for (index, unit) in units.iter().enumerate() {
        put(&mut root, 2 + index * 2, &unit.to_le_bytes());
    }
    put(&mut root, 32, &[0x81]);
    put(&mut root, 52, &2_u32.to_le_bytes());
    put(&mut root, 56, &bitmap_bytes.to_le_bytes());
    put(&mut root, 64, &[0x82]);
    put(&mut root, 68, &sum.to_le_bytes());
    put(&mut root, 84, &(upcase_at as u32).to_le_bytes());
    put(&mut root, 88, &(table.len() as u64).to_le_bytes());
    disk.write(at(root_at), &root)?;
    if let Some((upcase, _)) = Upcase::parse(&table) {
        let mut place = at(root_at) + 96;
        for file in &wish.files {
            let set = file_set(file, &upcase);
            disk.write(place, &set)?;
            place += set.len() as u64;
        }
    }

    let mut fat: Vec<u8> = Vec::new();
    fat.extend(0xFFFF_FFF8_u32.to_le_bytes());
    fat.extend(u32::MAX.to_le_bytes());
    for (first, last) in [(2, upcase_at), (upcase_at, root_at), (root_at, root_at + 1)] {
        for number in first..last {
            let next = if number + 1 == last {
                u32::MAX
            } else {
                number as u32 + 1
            };
            fat.extend(next.to_le_bytes());
        }
    }
    disk.write(plan.start + plan.reserved * plan.sector, &fat)?;

    let sector = plan.sector as usize;
    let mut region = vec![0; 12 * sector];
    put(&mut region, 0, b"\xEB\x76\x90EXFAT   ");
    put(&mut region, 64, &(plan.start / plan.sector).to_le_bytes());
    put(&mut region, 72, &plan.sectors.to_le_bytes());
    put(&mut region, 80, &(plan.reserved as u32).to_le_bytes());
    put(&mut region, 84, &(plan.fat as u32).to_le_bytes());
    put(&mut region, 88, &(plan.data() as u32).to_le_bytes());
    put(&mut region, 92, &(plan.clusters as u32).to_le_bytes());
    put(&mut region, 96, &(root_at as u32).to_le_bytes());
    put(&mut region, 100, &wish.serial.to_le_bytes());
    put(&mut region, 104, &[0, 1]);
    let shifts = [
        plan.sector.trailing_zeros() as u8,
        plan.per_cluster.trailing_zeros() as u8,
    ];
    put(&mut region, 108, &shifts);
    put(&mut region, 110, &[1, 0x80, 0xFF]);
    put(&mut region, 510, &[0x55, 0xAA]);
    for number in 1..9 {
        put(
            &mut region,
            number * sector + sector - 4,
            &[0, 0, 0x55, 0xAA],
        );
    }
    let counted = region[..11 * sector].iter().enumerate();
    let counted = counted.filter(|(at, _)| !matches!(at, 106 | 107 | 112));
    let sum = counted.fold(0_u32, |sum, (_, byte)| {
        sum.rotate_right(1).wrapping_add(u32::from(*byte))
    });
    put(
        &mut region,
        11 * sector,
        &sum.to_le_bytes().repeat(sector / 4),
    );
    disk.write(plan.start + 12 * plan.sector, &region)?;
    disk.write(plan.start, &region)
}

/// The set of an empty file.
fn file_set(text: &str, upcase: &Upcase) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().take(255).collect();
    let names = units.len().div_ceil(15).max(1);
    let mut set = vec![0; (2 + names) * 32];
    put(&mut set, 0, &[0x85, 1 + names as u8]);
    put(&mut set, 4, &[0x20, 0]);
    for at in [8, 12, 16] {
        put(&mut set, at, &(u32::from(DATE) << 16).to_le_bytes());
    }
    put(&mut set, 32, &[0xC0, 1, 0, units.len() as u8]);
    put(&mut set, 36, &name_hash(&units, upcase).to_le_bytes());
    for (at, unit) in units.iter().enumerate() {
        let entry = 64 + at / 15 * 32;
        put(&mut set, entry, &[0xC1, 0]);
        put(&mut set, entry + 2 + at % 15 * 2, &unit.to_le_bytes());
    }
    let sum = set_checksum(&set);
    put(&mut set, 2, &sum.to_le_bytes());
    set
}
