//! The two checksums of protocol v2: CRC-16/F94F over headers, CRC-32/FA567D89 over payloads.
//!
//! Both shift the most significant bit first, start at all ones and end without a final XOR.
//! Payload checksums bound how fast frames come in, so the 32-bit one takes sixteen bytes a step.
//!
//! Source: openmv/openmv `common/omv_crc.c`.

const POLYNOMIAL_16: u16 = 0xF94F;
const POLYNOMIAL_32: u32 = 0xFA56_7D89;

const TABLE_16: [u16; 256] = table_16();
/// Bytes of one step of the 32-bit checksum.
const STEP: usize = 16;
/// `TABLES_32[n]` is the effect of one byte with `n` zero bytes behind it.
static TABLES_32: [[u32; 256]; STEP] = tables_32();

/// Checksum of a header: over its first eight bytes.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        look(&TABLE_16, high ^ byte) ^ u16::from_be_bytes([low, 0])
    })
}

/// Checksum of a payload.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    let (blocks, rest) = bytes.as_chunks::<STEP>();
    let crc = blocks.iter().fold(u32::MAX, |crc, block| {
        let word = u128::from_be_bytes(*block) ^ (u128::from(crc) << 96);
        let effects = TABLES_32.iter().zip(word.to_le_bytes());
        effects.fold(0, |crc, (table, byte)| crc ^ look(table, byte))
    });
    let [table, ..] = &TABLES_32;
    rest.iter().fold(crc, |crc, byte| {
        let [c0, c1, c2, c3] = crc.to_be_bytes();
        look(table, c0 ^ byte) ^ u32::from_be_bytes([c1, c2, c3, 0])
    })
}

/// A byte cannot leave a table of 256, so the compiler drops the check.
#[inline]
fn look<T: Copy + Default>(table: &[T; 256], index: u8) -> T {
    table.get(usize::from(index)).copied().unwrap_or_default()
}

#[expect(clippy::indexing_slicing, reason = "an overrun here does not compile")]
const fn table_16() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= POLYNOMIAL_16;
            }
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "an overrun here does not compile")]
const fn tables_32() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 0x8000_0000 != 0;
            crc <<= 1;
            if carry {
                crc ^= POLYNOMIAL_32;
            }
            bit += 1;
        }
        tables[0][index] = crc;
        index += 1;
    }
    let mut zeros = 1;
    while zeros < STEP {
        let mut index = 0;
        while index < 256 {
            let before = tables[zeros - 1][index];
            tables[zeros][index] = (before << 8) ^ tables[0][(before >> 24) as usize];
            index += 1;
        }
        zeros += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_checksums_match_the_tables_of_the_firmware() {
        let all: Vec<u8> = (0..=255).collect();
        let vectors: [(&[u8], u16, u32); 6] = [
            (b"", 0xFFFF, 0xFFFF_FFFF),
            (&[0], 0xAA1E, 0xDA3B_BD1B),
            (&[0; 4], 0xB33D, 0xFF70_CA75),
            (b"123456789", 0xE541, 0x41B4_03D3),
            (b"openmv", 0x0AFF, 0xCB2D_0455),
            (&all, 0x0123, 0x7EC8_34A3),
        ];
        for (bytes, short, long) in vectors {
            assert_eq!((crc16(bytes), crc32(bytes)), (short, long), "{bytes:02x?}");
        }
    }

    #[test]
    fn sixteen_bytes_a_step_and_one_byte_a_step_agree_at_every_length() {
        let bytes: Vec<u8> = (0..100u32).map(|n| (n * 37 + 11) as u8).collect();
        for length in 0..bytes.len() {
            let part = &bytes[..length];
            let slow = part.iter().fold(u32::MAX, |crc, byte| {
                (0..8).fold(crc ^ (u32::from(*byte) << 24), |crc, _| {
                    (crc << 1) ^ if crc >> 31 == 1 { POLYNOMIAL_32 } else { 0 }
                })
            });
            assert_eq!(crc32(part), slow, "{length} bytes");
        }
    }
}
