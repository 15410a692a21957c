//! How a virtual camera knows that a made-up image in its flash is whole.
//!
//! Real code that was half written crashes. Images made here cannot run, so they carry a seal:
//!
//! ```text
//!   "OMV-SIM-SEAL-01\0"  length u32 LE  CRC-32 u32 LE
//! ```
//!
//! `length` counts from the first byte of the image, the CRC is taken over those bytes with the
//! seal itself read as zeros. An image without a seal is taken at its word.

const MARK: &[u8; 16] = b"OMV-SIM-SEAL-01\0";

/// Bytes a seal needs.
pub const SIZE: usize = 24;

/// What a seal says about the bytes it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// There is none at this place.
    Absent,
    /// All bytes are as they were made.
    Whole,
    /// Some are not.
    Broken,
}

/// Seals an image in place; the seal goes to `at`.
pub fn apply(image: &mut [u8], at: usize) {
    let length = image.len() as u32;
    image[at..at + SIZE].fill(0);
    let crc = crc32(image);
    image[at..at + 16].copy_from_slice(MARK);
    image[at + 16..at + 20].copy_from_slice(&length.to_le_bytes());
    image[at + 20..at + 24].copy_from_slice(&crc.to_le_bytes());
}

/// Checks the seal at `at`; `read` gives bytes of the image by offset and length.
pub fn check(at: usize, limit: usize, read: impl Fn(usize, usize) -> Vec<u8>) -> Seal {
    let seal = read(at, SIZE);
    if seal.len() < SIZE || &seal[..16] != MARK {
        return Seal::Absent;
    }
    let field = |from: usize| {
        u32::from_le_bytes([seal[from], seal[from + 1], seal[from + 2], seal[from + 3]])
    };
    let length = field(16) as usize;
    if length > limit || length < at + SIZE {
        return Seal::Broken;
    }
    let mut image = read(0, length);
    image[at..at + SIZE].fill(0);
    if crc32(&image) == field(20) {
        Seal::Whole
    } else {
        Seal::Broken
    }
}

/// The CRC-32 of IEEE 802.3, which zip and Ethernet use.
fn crc32(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(image: &[u8]) -> impl Fn(usize, usize) -> Vec<u8> + '_ {
        |at, length| image[at..at + length].to_vec()
    }

    #[test]
    fn one_changed_bit_breaks_the_seal() {
        let mut image = vec![7; 4096];
        assert_eq!(check(64, 4096, reader(&image)), Seal::Absent);
        apply(&mut image, 64);
        assert_eq!(check(64, 4096, reader(&image)), Seal::Whole);
        image[4000] ^= 1;
        assert_eq!(check(64, 4096, reader(&image)), Seal::Broken);
    }

    #[test]
    fn a_length_beyond_the_flash_is_broken_not_read() {
        let mut image = vec![0; 256];
        apply(&mut image, 0);
        image[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(check(0, 256, reader(&image)), Seal::Broken);
    }
}
