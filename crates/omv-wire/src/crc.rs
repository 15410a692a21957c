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
    bytes.iter().fold(crc, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        let step = XMODEM.get(usize::from(high ^ byte)).copied().unwrap_or(0);
        u16::from_be_bytes([low, 0]) ^ step
    })
}

static XMODEM: [u16; 256] = xmodem_table();

#[expect(
    clippy::indexing_slicing,
    reason = "runs in the compiler only, where a bad index is a build error"
)]
const fn xmodem_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
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
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_word_of_xmodem_is_31c3() {
        assert_eq!(crc16_xmodem(b"123456789"), 0x31C3);
    }

    #[test]
    fn a_checksum_in_pieces_is_the_checksum_of_the_whole() {
        assert_eq!(
            crc16_xmodem_more(crc16_xmodem(b"1234"), b"56789"),
            crc16_xmodem(b"123456789")
        );
    }
}
