//! Made-up images on the real map: what a virtual camera is given when nobody has a real one.
//!
//! They hold what a host looks for (boot structures, vectors, the strings of arch and version)
//! and a seal instead of code. The firmware's layout, from the start of the file:
//!
//! ```text
//!   0000  flash configuration block "FCFB"       1000  image vector table 402000D1
//!   2000  Arm vectors: stack, reset, ...; FF up to 3000
//!   3000  seal, then the strings, then filler
//! ```

use crate::image::{filler, seed};
use crate::seal;

/// Where the firmware lies in the chip, from its start.
pub const FIRMWARE: usize = 0x4_0000;
/// Where the ROM looks for the resident bootloader's image vector table.
pub const SBL: usize = 0x1000;
/// Where the ROM file system lies.
pub const ROMFS: usize = 0x80_0000;

/// Offset of the Arm vectors in a firmware file.
pub const VECTORS: usize = 0x2000;
/// Offset of the seal in a sample firmware.
pub const FIRMWARE_SEAL: usize = 0x3000;
/// Offset of the seal in a sample loader.
pub const LOADER_SEAL: usize = 0x40;

/// First word of an image vector table, as the bytes `D1 00 20 40`.
pub const IVT_WORD: u32 = 0x4020_00D1;

/// The version a virtual camera comes with when none is asked for.
pub const SHIPPED: &str = "4.8.0";
/// The version of the built-in sample that `omv flash` uses on virtual cameras.
pub const NEWEST: &str = "5.0.0";

/// A firmware that answers as `version`, `size` bytes long (at least 0x4000).
pub fn firmware(version: &str, size: usize) -> Vec<u8> {
    let mut image = filler(size.max(0x4000), version);
    image[..VECTORS + 0x1000].fill(0xFF);
    image[..512].copy_from_slice(&flash_configuration());
    ivt(&mut image[0x1000..0x1020], 0x6004_1000, 0x6004_2000);
    for (slot, vector) in vectors(version).iter().enumerate() {
        image[VECTORS + 4 * slot..][..4].copy_from_slice(&vector.to_le_bytes());
    }
    let strings = format!(
        "\0OMVRT1060 32768 SDRAM\0OPENMV_RT1060\0\
         3.4.0; OpenMV v{version}-sample; MicroPython v1.26.0-omv\0"
    );
    image[FIRMWARE_SEAL + seal::SIZE..][..strings.len()].copy_from_slice(strings.as_bytes());
    seal::apply(&mut image, FIRMWARE_SEAL);
    image
}

/// Initial stack pointer, then the handlers: of the core's 15 exceptions and the chip's 160
/// interrupts. They lie elsewhere in each version, as the linker puts them.
fn vectors(version: &str) -> [u32; 176] {
    let code = 0x6004_3101 + (seed(version) & 0x7E0);
    std::array::from_fn(|slot| match slot {
        0 => 0x2002_0000,
        slot => code + 0x10 * (slot as u32 - 1),
    })
}

/// A ROM file system image of `size` bytes: the header of an empty one, then filler.
///
/// Header: `D2 CD 31`, then the length of what follows as a variable-length integer, seven bits
/// a byte, high group first.
pub fn romfs(size: usize) -> Vec<u8> {
    let mut image = filler(size.max(16), "romfs");
    let length = (image.len() - 7) as u32;
    image[..3].copy_from_slice(&[0xD2, 0xCD, 0x31]);
    for (slot, shift) in [21, 14, 7, 0].into_iter().enumerate() {
        let more = if shift == 0 { 0 } else { 0x80 };
        image[3 + slot] = ((length >> shift) & 0x7F) as u8 | more;
    }
    image
}

/// A resident bootloader for virtual cameras.
pub fn sbl() -> Vec<u8> {
    loader(31_320, 0x2000_2000, 0x2000_2401, "sbl")
}

/// A RAM flashloader for virtual cameras.
pub fn flashloader() -> Vec<u8> {
    loader(87_884, 0x2000_1C00, 0x2000_2401, "flashloader")
}

/// The 512 bytes that tell the ROM how to talk to the flash.
pub fn flash_configuration() -> [u8; 512] {
    let mut block = [0; 512];
    block[..8].copy_from_slice(b"FCFB\x00\x04\x01\x56");
    // Reads are clocked by the pad of DQS, as 166 MHz needs.
    block[0x0C] = 1;
    block[0x50..0x54].copy_from_slice(&0x0100_0000_u32.to_le_bytes());
    block[0x1C0..0x1C4].copy_from_slice(&256_u32.to_le_bytes());
    block[0x1C4..0x1C8].copy_from_slice(&4096_u32.to_le_bytes());
    block[0x1D0..0x1D4].copy_from_slice(&0x1_0000_u32.to_le_bytes());
    block
}

fn loader(size: usize, at: u32, entry: u32, text: &str) -> Vec<u8> {
    let mut image = filler(size, text);
    ivt(&mut image[..0x20], at, entry);
    seal::apply(&mut image, LOADER_SEAL);
    image
}

/// Image vector table: header, entry, 0, DCD 0, boot data, its own address, 0, 0.
fn ivt(bytes: &mut [u8], own: u32, entry: u32) {
    let words = [IVT_WORD, entry, 0, 0, own + 0x20, own, 0, 0];
    for (slot, word) in words.iter().enumerate() {
        bytes[4 * slot..][..4].copy_from_slice(&word.to_le_bytes());
    }
}
