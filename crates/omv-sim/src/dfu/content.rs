//! What the bytes in flash amount to: which code would start, and how far it would get.

use std::time::Duration;

use omv_boards::{Board, ImageRule, Region, Role, State};

use super::chip::Parts;
use super::sample::{
    BOOT_TABLE, BOOTLOADER_SEAL, DFU_PRODUCT, FIRMWARE_SEAL, LEGACY_PRODUCT, MCUBOOT,
};
use crate::image::{contains, version};
use crate::run::Firmware;
use crate::seal::{self, Seal};

/// First word of a bootloader's version header.
const HEADER: [u8; 4] = [0xAD, 0x10, 0x07, 0xB0];

/// The generations of OpenMV's DFU bootloader, told apart by what they can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Of 4.6.0 and 4.6.20: without a partition for the ROMFS.
    First,
    /// Of 4.7.0 and 4.8.0: without a version header.
    Second,
    /// Since 4.8.1: with one.
    Versioned([u8; 3]),
}

impl Generation {
    /// The version of the current bootloader, of 5.0.0.
    pub const NEWEST: Self = Self::Versioned([1, 0, 3]);

    /// The one that a release brought.
    pub fn of_release(version: omv_boards::Version) -> Self {
        match (version.major, version.minor, version.patch) {
            (4, ..=6, _) => Self::First,
            (4, 7, _) | (4, 8, 0) => Self::Second,
            (4, _, _) => Self::Versioned([1, 0, 2]),
            _ => Self::NEWEST,
        }
    }

    /// `bcdDevice`.
    pub fn release(self) -> u16 {
        match self {
            Self::First | Self::Second => 0x0200,
            Self::Versioned([major, minor, patch]) => {
                u16::from(major) << 8 | u16::from(minor) << 4 | u16::from(patch)
            }
        }
    }

    /// Whether DETACH leaves at once, in forced mode too.
    pub fn detaches(self) -> bool {
        matches!(self, Self::Versioned(version) if version >= [1, 0, 2])
    }

    /// `bwPollTimeout` while an alternate is written.
    pub fn poll(self, alternate: usize) -> Duration {
        if self == Self::First && alternate >= 3 {
            Duration::from_millis(100)
        } else {
            Duration::ZERO
        }
    }
}

/// What is at the start of the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resident {
    /// Nothing: an STM32 starts its ROM then.
    Missing,
    /// Something that does not work, and why.
    Damaged(&'static str),
    /// OpenMV's DFU bootloader.
    Dfu(Generation),
    /// OpenMV's serial bootloader, with its protocol version.
    Legacy(u8),
    /// Arduino's.
    Arduino,
}

/// Looks at the bootloader.
pub fn resident(parts: &Parts) -> Resident {
    let board = parts.board;
    let bytes = bootloader_bytes(parts);
    if bytes.iter().take(0x1000).all(|byte| *byte == 0xFF) {
        return Resident::Missing;
    }
    let read = |at: usize, n: usize| {
        let mut part: Vec<u8> = bytes.iter().skip(at).take(n).copied().collect();
        part.resize(n, 0xFF);
        part
    };
    if seal::check(BOOTLOADER_SEAL, bytes.len(), read) == Seal::Broken {
        return Resident::Damaged("its bootloader crashes");
    }
    if !has_boot_table(parts) {
        return Resident::Damaged("its boot table is broken: only the recovery switch helps");
    }
    if board.mcuboot.is_some() {
        return if contains(&bytes, MCUBOOT.as_bytes()) {
            Resident::Arduino
        } else {
            Resident::Damaged("its bootloader crashes")
        };
    }
    if contains(&bytes, DFU_PRODUCT.as_bytes()) {
        return Resident::Dfu(generation(board, &bytes));
    }
    if contains(&bytes, LEGACY_PRODUCT.as_bytes()) {
        // The commands stand in the code as words, and so does the version, from 2 on.
        let has = |word: u32| contains(&bytes, &word.to_le_bytes());
        return Resident::Legacy(match (has(0xABCD_0003), has(0xABCD_0010)) {
            (true, _) => 3,
            (false, true) => 2,
            (false, false) => 1,
        });
    }
    Resident::Damaged("its bootloader crashes")
}

/// The bootloader's regions: one, but for the Nicla, whose bootloader does not fit in it.
pub fn bootloader_regions(board: &Board) -> impl Iterator<Item = &Region> {
    let regions = board.layout().into_iter().flat_map(|l| &l.regions);
    regions.filter(|region| region.role == Role::Bootloader)
}

fn bootloader_bytes(parts: &Parts) -> Vec<u8> {
    bootloader_regions(parts.board)
        .flat_map(|region| parts.read_region(region, 0, region.size as usize))
        .collect()
}

fn generation(board: &Board, bytes: &[u8]) -> Generation {
    let rule = board.image("bootloader.bin");
    let at = rule.and_then(|rule| rule.version_header).unwrap_or(0x1000) as usize;
    match bytes.get(at..at + 7) {
        Some([a, b, c, d, major, minor, patch]) if [*a, *b, *c, *d] == HEADER => {
            Generation::Versioned([*major, *minor, *patch])
        }
        _ if contains(bytes, b"ROMFS0") => Generation::Second,
        _ => Generation::First,
    }
}

/// Whether the Secure Enclave finds what to start, on boards where it is the one that starts.
fn has_boot_table(parts: &Parts) -> bool {
    let layout = parts.board.layout();
    let Some(table) = layout.and_then(|layout| layout.role(Role::BootTable)) else {
        return true;
    };
    let size = table.size as usize;
    let read = |at: usize, n: usize| parts.read_region(table, at, n);
    let bytes = read(size - BOOT_TABLE, BOOT_TABLE);
    let blank = |value: u8| bytes.iter().all(|byte| *byte == value);
    let sealed = seal::check(size - BOOT_TABLE, size, read);
    sealed != Seal::Broken && !blank(0) && !blank(0xFF)
}

/// What a start of the firmware comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// It runs.
    Runs(Firmware),
    /// It begins and crashes.
    Crashes,
    /// Its vectors lead nowhere.
    Nowhere,
}

/// Looks at the firmware as the bootloader does, which is not at all, and then as the core does.
///
/// Whole means: its seal is, or, where it has none because it is no sample, its strings name
/// this board and a version. Half-written code of that second kind is not found out. Where a
/// second core has firmware of its own, both must be whole and of one version: the strictest
/// reading of a set that belongs together.
pub fn firmware(parts: &Parts) -> Start {
    let Some((rule, region)) = firmware_rule(parts.board, Role::Firmware) else {
        return Start::Nowhere;
    };
    let vectors = rule.vectors.unwrap_or(0) as usize;
    let reset = parts.read_region(region, vectors + 4, 4);
    let reset = u32::from_le_bytes([reset[0], reset[1], reset[2], reset[3]]);
    let leads = rule.reset.is_some_and(|range| range.contains(reset));
    if !leads || reset & 1 == 0 {
        return Start::Nowhere;
    }
    let Some(firmware) = whole(parts, region) else {
        return Start::Crashes;
    };
    match firmware_rule(parts.board, Role::SecondFirmware) {
        Some((_, second)) if whole(parts, second).map(|f| f.version) != Some(firmware.version) => {
            Start::Crashes
        }
        _ => Start::Runs(firmware),
    }
}

/// The rule for the firmware file of a role, and the largest region it ever had.
fn firmware_rule(
    board: &'static Board,
    role: Role,
) -> Option<(&'static ImageRule, &'static Region)> {
    let region = board.layout()?.role(role)?;
    let rule = board
        .images
        .iter()
        .find(|rule| rule.region == region.name)?;
    let all = board.layouts.iter().filter_map(|layout| layout.role(role));
    let same = all.filter(|other| other.start == region.start && other.memory == region.memory);
    Some((rule, same.max_by_key(|region| region.size)?))
}

fn whole(parts: &Parts, region: &Region) -> Option<Firmware> {
    let size = region.size as usize;
    let read = |at: usize, n: usize| parts.read_region(region, at, n);
    let bytes = match seal::check(FIRMWARE_SEAL, size, read) {
        Seal::Broken => return None,
        Seal::Whole => read(FIRMWARE_SEAL, 0x1000),
        Seal::Absent => read(0, size),
    };
    let board = parts.board;
    let mut names = board.arch.iter();
    let arch = names.find(|arch| contains(&bytes, arch.text.as_bytes()))?;
    let version = version(&bytes)?;
    let usb = board.identity(State::Run, Some(version))?.usb;
    Some(Firmware {
        version,
        arch: arch.text.clone(),
        kind: arch.kinds.first().cloned().unwrap_or_default(),
        usb,
    })
}
