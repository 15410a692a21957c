//! Made-up images on the real maps: what a virtual camera is given when nobody has a real one.
//!
//! They hold what a host and this crate look for (vectors, the version header, names) and a seal
//! instead of code:
//!
//! ```text
//!   firmware    0000  Arm vectors: stack, reset, ...     0400  seal, strings, filler
//!   bootloader  0000  Arm vectors, or ST's image header  0600  seal, strings, filler
//!               1000  version header AD 10 07 B0 major minor patch (N6: 1400), since 1.0.1
//! ```

use omv_boards::{Board, Role};
use omv_wire::romfs;

use super::content::{Generation, bootloader_regions};
use crate::image::{filler, seed};
use crate::seal;

/// Offset of the seal in a sample firmware.
pub const FIRMWARE_SEAL: usize = 0x400;
/// Offset of the seal in a sample bootloader.
pub const BOOTLOADER_SEAL: usize = 0x600;
/// Bytes of a sample boot table, at whose start its seal is.
pub const BOOT_TABLE: usize = 256;
/// The product name that OpenMV's DFU bootloaders carry.
pub const DFU_PRODUCT: &str = "OpenMV Camera (DFU Mode)";
/// The product name that its serial bootloaders carry.
pub const LEGACY_PRODUCT: &str = "OpenMV Virtual Comm Port in FS Mode";
/// What tells Arduino's bootloader.
pub const MCUBOOT: &str = "MCUboot";

/// The version a virtual camera comes with when none is asked for.
pub const SHIPPED: &str = "4.8.1";
/// The version of the newest sample.
pub const NEWEST: &str = "5.0.0";

/// Bytes of a sample bootloader that fits on every board.
const BOOTLOADER_SIZE: usize = 0x3C00;
/// The same for the DFU bootloaders of boards that have room for it.
const DFU_SIZE: usize = 0x6000;
/// Vectors of a core and its interrupts.
const VECTORS: usize = 166;

/// A firmware for this board's main core that answers as `version`, `size` bytes long (at least
/// 0x2000).
pub fn firmware(board: &Board, version: &str, size: usize) -> Vec<u8> {
    code(board, Role::Firmware, version, size)
}

/// One for the second core, of boards that have firmware for it.
pub fn second_firmware(board: &Board, version: &str, size: usize) -> Vec<u8> {
    code(board, Role::SecondFirmware, version, size)
}

fn code(board: &Board, role: Role, version: &str, size: usize) -> Vec<u8> {
    let mut image = filler(size.max(0x2000), &format!("{version} {role:?}"));
    let load = board.layout().and_then(|layout| layout.role(role));
    let load = load.map_or(0, |region| board.mapped(region));
    vectors(&mut image, load, 0x1000 + (seed(version) & 0x7E0));
    let arch = board.arch.first().map_or("", |arch| &arch.text);
    let name = &board.name;
    let strings =
        format!("\0{arch}\0{name}\03.4.0; OpenMV v{version}-sample; MicroPython v1.26.0-omv\0");
    image[FIRMWARE_SEAL + seal::SIZE..][..strings.len()].copy_from_slice(strings.as_bytes());
    seal::apply(&mut image, FIRMWARE_SEAL);
    image
}

/// The files of a release for this board, by name: what a release of real firmware has, made up.
pub fn release(board: &Board, version: &str) -> Vec<(String, Vec<u8>)> {
    let regions = board
        .layout()
        .into_iter()
        .flat_map(|layout| &layout.regions);
    let made = |role, size: u32| match role {
        Role::Firmware => Some(firmware(board, version, size.min(0xC_0000) as usize)),
        Role::SecondFirmware => Some(second_firmware(board, version, size.min(0x4_0000) as usize)),
        Role::Bootloader if board.dfu.is_some() => {
            let release = version.parse().map(Generation::of_release);
            Some(bootloader(board, release.unwrap_or(Generation::NEWEST)))
        }
        Role::Romfs | Role::SecondRomfs => {
            Some(crate::rt1062::sample::romfs(size.min(0x1_0000) as usize))
        }
        Role::BootTable => Some(boot_table(size as usize)),
        _ => None,
    };
    regions
        .filter_map(|region| Some((region.files.first()?, made(region.role, region.size)?)))
        .map(|(name, bytes)| (name.clone(), bytes))
        .collect()
}

/// The ROM file system of a new camera: one with a file in it, that firmware can mount.
pub fn rom() -> Vec<u8> {
    let file = romfs::Item::File {
        name: "sample.txt".to_owned(),
        bytes: b"made up for a virtual camera\n".to_vec(),
        alignment: 4,
    };
    romfs::write(&[file], romfs::Layout::Aligned).unwrap_or_default()
}

/// OpenMV's DFU bootloader of a generation.
pub fn bootloader(board: &Board, generation: Generation) -> Vec<u8> {
    let mut image = filler(DFU_SIZE, &format!("{generation:?}"));
    let rule = board.image("bootloader.bin");
    match rule.and_then(|rule| rule.load) {
        Some(load) => vectors(&mut image, load, 0x2000),
        None => image[..4].copy_from_slice(b"STM2"),
    }
    let layout = match generation {
        Generation::First => board.layout_named("dfu-4.6"),
        _ => None,
    };
    let regions = layout
        .or(board.layout())
        .into_iter()
        .flat_map(|l| &l.regions);
    let mut strings = format!("\0OpenMV\0{DFU_PRODUCT}\0");
    for alternate in regions.filter_map(|region| region.alternate.as_ref()) {
        strings += &format!("{}\0", alternate.name);
    }
    let header = rule.and_then(|rule| rule.version_header).unwrap_or(0x1000) as usize;
    let mut bytes = [0xFF; 32];
    if let Generation::Versioned([major, minor, patch]) = generation {
        bytes = [0; 32];
        bytes[..7].copy_from_slice(&[0xAD, 0x10, 0x07, 0xB0, major, minor, patch]);
    }
    image[header..header + 32].copy_from_slice(&bytes);
    seal_bootloader(image, &strings)
}

/// OpenMV's serial bootloader, by the version of its protocol, 1 to 3.
pub fn legacy(board: &Board, version: u8) -> Vec<u8> {
    let mut image = filler(BOOTLOADER_SIZE, &format!("legacy {version}"));
    let load = board.image("bootloader.bin").and_then(|rule| rule.load);
    vectors(&mut image, load.unwrap_or(0), 0x2000);
    let words = [0xABCD_0001, 0xABCD_0002, 0xABCD_0010, 0xABCD_0003_u32];
    let known = match version {
        ..=1 => 2,
        2 => 3,
        _ => 4,
    };
    for (slot, word) in words.iter().take(known).enumerate() {
        image[0x800 + 4 * slot..][..4].copy_from_slice(&word.to_le_bytes());
    }
    seal_bootloader(image, &format!("\0OpenMV\0{LEGACY_PRODUCT}\0"))
}

/// Arduino's bootloader, all of its size.
pub fn mcuboot(board: &Board) -> Vec<u8> {
    let size = bootloader_regions(board)
        .map(|region| region.size as usize)
        .sum();
    let mut image = filler(size, "arduino");
    vectors(&mut image, 0x0800_0000, 0x2000);
    seal_bootloader(image, &format!("\0Arduino SA\0{MCUBOOT}\0"))
}

/// The Secure Enclave's table of what to start, which stands at the end of its region.
pub fn boot_table(size: usize) -> Vec<u8> {
    let mut image = vec![0xFF; size];
    let at = size - BOOT_TABLE;
    image[at..].copy_from_slice(&filler(BOOT_TABLE, "toc"));
    seal::apply(&mut image, at);
    image
}

fn seal_bootloader(mut image: Vec<u8>, strings: &str) -> Vec<u8> {
    image[BOOTLOADER_SEAL + seal::SIZE..][..strings.len()].copy_from_slice(strings.as_bytes());
    seal::apply(&mut image, BOOTLOADER_SEAL);
    image
}

/// Initial stack pointer, then the handlers, which lie elsewhere in each version.
fn vectors(image: &mut [u8], load: u32, code: u32) {
    for slot in 0..VECTORS {
        let word = match slot {
            0 => 0x2001_0000,
            slot => load + code + 1 + 0x10 * (slot as u32 - 1),
        };
        image[4 * slot..][..4].copy_from_slice(&word.to_le_bytes());
    }
}
