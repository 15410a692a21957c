//! Checksums the protocols share.

/// CRC16 of the XMODEM kind: polynomial 0x1021, initial value 0, not reflected, no final xor.
///
/// `"123456789"` gives 0x31C3. Used by the serial framing of [`mboot`](crate::mboot).
#[must_use]
pub fn crc16_xmodem(bytes: &[u8]) -> u16 {
    crc16_xmodem_more(0, bytes)
}

/// Goes on with a CRC16 over bytes that lie apart; `crc` is what the bytes before gave.
#[must_use]
pub fn crc16_xmodem_more(crc: u16, bytes: &[u8]) -> u16 {
    let (blocks, rest) = bytes.as_chunks::<STEP>();
    let crc = blocks.iter().fold(crc, |crc, block| {
        let word = u64::from_be_bytes(*block) ^ (u64::from(crc) << 48);
        let effects = XMODEM.iter().zip(word.to_le_bytes());
        effects.fold(0, |crc, (table, byte)| crc ^ look(table, byte))
    });
    let [table, ..] = &XMODEM;
    rest.iter().fold(crc, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        u16::from_be_bytes([low, 0]) ^ look(table, high ^ byte)
    })
}

/// A byte cannot leave a table of 256, so the compiler drops the check.
#[inline]
fn look(table: &[u16; 256], index: u8) -> u16 {
    table.get(usize::from(index)).copied().unwrap_or_default()
}

/// Bytes of one step.
const STEP: usize = 8;
/// `XMODEM[n]` is the effect of one byte with `n` zero bytes behind it.
static XMODEM: [[u16; 256]; STEP] = xmodem_tables();

#[expect(
    clippy::indexing_slicing,
    reason = "runs in the compiler only, where a bad index is a build error"
)]
const fn xmodem_tables() -> [[u16; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = (before << 8) ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_word_of_xmodem_is_31c3() {
        assert_eq!(crc16_xmodem(b"123456789"), 0x31C3);
    }

    #[test]
    fn eight_bytes_a_step_and_one_bit_a_step_agree_at_every_length() {
        let bytes: Vec<u8> = (0..60u16).map(|n| (n * 37 + 11) as u8).collect();
        for length in 0..bytes.len() {
            let part = &bytes[..length];
            let slow = part.iter().fold(0x5AC3, |crc, byte| {
                (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
                    (crc << 1) ^ if crc >> 15 == 1 { 0x1021 } else { 0 }
                })
            });
            assert_eq!(crc16_xmodem_more(0x5AC3, part), slow, "{length} bytes");
        }
    }

    #[test]
    fn a_checksum_in_pieces_is_the_checksum_of_the_whole() {
        assert_eq!(
            crc16_xmodem_more(crc16_xmodem(b"1234"), b"56789"),
            crc16_xmodem(b"123456789")
        );
    }
}
