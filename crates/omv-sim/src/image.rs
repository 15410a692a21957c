//! What an image's bytes say of it, and bytes that look like an image.

use omv_boards::Version;

/// The version that firmware says of itself, after `OpenMV v`.
pub fn version(bytes: &[u8]) -> Option<Version> {
    const LEAD: &[u8] = b"OpenMV v";
    let starts = bytes
        .windows(LEAD.len())
        .enumerate()
        .filter(|(_, window)| *window == LEAD);
    starts.map(|(at, _)| at + LEAD.len()).find_map(|at| {
        let text: String = bytes[at..]
            .iter()
            .take(16)
            .map(|byte| char::from(*byte))
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        text.parse().ok()
    })
}

/// Whether bytes stand somewhere among others.
pub fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Bytes that look like code to a flash chip and differ from version to version.
pub fn filler(size: usize, text: &str) -> Vec<u8> {
    let mut state = seed(text) | 1;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        })
        .collect()
}

/// A number that belongs to a text: FNV-1a.
pub fn seed(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
