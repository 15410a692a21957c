//! The sixteen bytes at the end of a file that say which device it is for, and guard it.
//!
//! ```text
//!   content | (more, some day) | bcdDevice | idProduct | idVendor | bcdDFU | "UFD" | 16 | CRC
//!                                 u16 LE      u16 LE      u16 LE    u16 LE          u8  u32 LE
//! ```
//!
//! Source: USB DFU 1.1, appendix B.

use crate::Malformed;

/// What a suffix says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suffix {
    /// `bcdDevice` the file is for; `None` is any.
    pub release: Option<u16>,
    /// `idProduct`; `None` is any.
    pub product: Option<u16>,
    /// `idVendor`; `None` is any.
    pub vendor: Option<u16>,
    /// `bcdDFU`: 0x0100 for a plain file, 0x011A for one of DfuSe.
    pub version: u16,
}

impl Suffix {
    /// Bytes of a suffix.
    pub const LEN: usize = 16;
    /// `bcdDFU` of a plain file.
    pub const PLAIN: u16 = 0x0100;
    /// `bcdDFU` of a DfuSe file.
    pub const DFUSE: u16 = 0x011A;

    /// Parts a file into content and suffix. A file that does not end like one with a suffix has
    /// none.
    ///
    /// # Errors
    /// [`Malformed::Checksum`] for a file that was damaged, [`Malformed::Field`] for a length
    /// that cannot be. Neither is to be written to a device.
    pub fn split(file: &[u8]) -> Result<(&[u8], Option<Self>), Malformed> {
        let Some((guarded, crc)) = file.split_last_chunk::<4>() else {
            return Ok((file, None));
        };
        let Some((_, fields)) = guarded.split_last_chunk::<12>() else {
            return Ok((file, None));
        };
        let &[d0, d1, p0, p1, v0, v1, f0, f1, b'U', b'F', b'D', length] = fields else {
            return Ok((file, None));
        };
        let (said, found) = (u32::from_le_bytes(*crc), crc32(guarded));
        if said != found {
            return Err(Malformed::Checksum { said, found });
        }
        let content = file.len().checked_sub(length.into());
        let content = content.and_then(|size| file.get(..size));
        let Some(content) = content.filter(|_| usize::from(length) >= Self::LEN) else {
            return Err(Malformed::Field {
                field: "bLength",
                value: length.into(),
            });
        };
        let id = |low, high| Some(u16::from_le_bytes([low, high])).filter(|id| *id != u16::MAX);
        let suffix = Self {
            release: id(d0, d1),
            product: id(p0, p1),
            vendor: id(v0, v1),
            version: u16::from_le_bytes([f0, f1]),
        };
        Ok((content, Some(suffix)))
    }

    /// Puts this suffix behind a file, which must not have one yet.
    pub fn append(&self, file: &mut Vec<u8>) {
        let ids = [self.release, self.product, self.vendor];
        for id in ids {
            file.extend(id.unwrap_or(u16::MAX).to_le_bytes());
        }
        file.extend(self.version.to_le_bytes());
        file.extend(*b"UFD\x10");
        let crc = crc32(file);
        file.extend(crc.to_le_bytes());
    }

    /// Whether the file is for a device with these ids.
    #[must_use]
    pub fn is_for(&self, vendor: u16, product: u16) -> bool {
        self.vendor.is_none_or(|id| id == vendor) && self.product.is_none_or(|id| id == product)
    }
}

/// The checksum: polynomial EDB88320 reflected, start at all ones, no inversion at the end.
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        let step = TABLE.get(usize::from(low ^ byte)).copied();
        crc >> 8 ^ step.unwrap_or(0)
    })
}

static TABLE: [u32; 256] = table();

#[expect(
    clippy::indexing_slicing,
    reason = "runs in the compiler only, where a bad index is a build error"
)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 {
                crc >> 1
            } else {
                crc >> 1 ^ 0xEDB8_8320
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}
