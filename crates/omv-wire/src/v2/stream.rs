//! Frames as the channel `stream` carries them: a header of 32 bytes, then the picture.
//!
//! ```text
//! width u32 | height u32 | format u32 | size u32 | offset u32 | fps f32 | 8 zero bytes | data
//! ```
//!
//! Of compressed pictures `size` is bytes, of raw ones bytes per pixel. The data begins `offset`
//! bytes from the start of the header; firmware before 5.0.0 said 32 with a shorter header, too.
//!
//! Sources: openmv/openmv `lib/imlib/framebuffer.h`, `lib/imlib/imlib.h` (formats).

use crate::Malformed;

/// Largest width and height taken for real.
pub const MAX_SIDE: u32 = 16_384;

/// The word that says what the pixels are: bits 0-7 bytes per pixel, 8-15 order of colours,
/// 16-23 number, 24 Bayer, 25 compressed, 26 colour, 27 mutable, 28 YUV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format(pub u32);

#[allow(missing_docs, reason = "the names are the firmware's own")]
impl Format {
    pub const BINARY: Self = Self(0x0801_0000);
    pub const GRAYSCALE: Self = Self(0x0802_0001);
    pub const RGB565: Self = Self(0x0C03_0002);
    pub const ARGB8: Self = Self(0x0C08_0004);
    pub const BAYER_BGGR: Self = Self(0x0504_0001);
    pub const BAYER_GBRG: Self = Self(0x0504_0101);
    pub const BAYER_GRBG: Self = Self(0x0504_0201);
    pub const BAYER_RGGB: Self = Self(0x0504_0301);
    pub const YUV422: Self = Self(0x1405_0002);
    pub const YVU422: Self = Self(0x1405_0102);
    pub const JPEG: Self = Self(0x0606_0000);
    pub const PNG: Self = Self(0x0607_0000);

    /// Whether the header says how many bytes the picture has.
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        self.0 & 1 << 25 != 0
    }
}

/// The first 32 bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameHeader {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// What the pixels are.
    pub format: Format,
    /// Bytes, or bytes per pixel.
    pub size: u32,
    /// Of the data, from the start of the header, in bytes.
    pub offset: u32,
    /// Frames a second the script captures, an average; 0 is unknown.
    pub fps: f32,
}

impl FrameHeader {
    /// Bytes on the wire.
    pub const SIZE: usize = 32;

    /// Reads the header of a whole frame.
    ///
    /// # Errors
    /// [`Malformed::Short`] below 32 bytes; [`Malformed::Field`] for sides of 0 or more than
    /// [`MAX_SIDE`] pixels and for a rate that is no number.
    pub fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let need = Self::SIZE;
        let short = Malformed::Short {
            need,
            got: frame.len(),
        };
        let head = frame.first_chunk::<{ Self::SIZE }>().ok_or(short)?;
        let (words, _) = head.as_chunks::<4>();
        let [width, height, format, size, offset, fps, ..] =
            *words.first_chunk::<8>().ok_or(short)?;
        let side = |field, bytes| match u32::from_le_bytes(bytes) {
            side @ 1..=MAX_SIDE => Ok(side),
            value => Err(Malformed::Field {
                field,
                value: value.into(),
            }),
        };
        let fps = f32::from_le_bytes(fps);
        if !fps.is_finite() || fps < 0.0 {
            return Err(Malformed::Field {
                field: "fps",
                value: fps.to_bits().into(),
            });
        }
        Ok(Self {
            width: side("width", width)?,
            height: side("height", height)?,
            format: Format(u32::from_le_bytes(format)),
            size: u32::from_le_bytes(size),
            offset: u32::from_le_bytes(offset),
            fps,
        })
    }

    /// The 32 bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let fps = self.fps.to_bits();
        [
            self.width,
            self.height,
            self.format.0,
            self.size,
            self.offset,
            fps,
            0,
            0,
        ]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect()
    }

    /// Bytes the picture must have, as far as this format is known.
    #[must_use]
    pub fn data_size(self) -> Option<usize> {
        raw_size(self.format, self.width, self.height).or_else(|| {
            let size = usize::try_from(self.size).ok()?;
            self.format.is_compressed().then_some(size)
        })
    }

    /// The picture in a whole frame.
    ///
    /// # Errors
    /// [`Malformed::Short`] if the frame has fewer bytes than its header says,
    /// [`Malformed::Field`] for a format of unknown size or data that would begin in the header.
    pub fn data(self, frame: &[u8]) -> Result<&[u8], Malformed> {
        let field = |field, value: u32| Malformed::Field {
            field,
            value: value.into(),
        };
        let size = self.data_size().ok_or(field("format", self.format.0))?;
        let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
        if start < 20 {
            return Err(field("offset", self.offset));
        }
        let end = start.saturating_add(size);
        let got = frame.len();
        frame
            .get(start..end)
            .ok_or(Malformed::Short { need: end, got })
    }
}

/// Bytes of a raw picture; `None` for compressed and unknown formats. Binary pictures have their
/// rows in words of 32 pixels.
#[must_use]
pub fn raw_size(format: Format, width: u32, height: u32) -> Option<usize> {
    let row = match format {
        Format::BINARY => u64::from(width.div_ceil(32)) * 4,
        Format::GRAYSCALE
        | Format::BAYER_BGGR
        | Format::BAYER_GBRG
        | Format::BAYER_GRBG
        | Format::BAYER_RGGB => width.into(),
        Format::RGB565 | Format::YUV422 | Format::YVU422 => u64::from(width) * 2,
        _ => return None,
    };
    usize::try_from(row.checked_mul(height.into())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the golden transcript of the firmware's engine: 10 x 10 grayscale, 30 frames/s.
    const GOLDEN: [u8; 32] = [
        10, 0, 0, 0, 10, 0, 0, 0, 1, 0, 2, 8, 1, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0xF0, 0x41, 0, 0, 0,
        0, 0, 0, 0, 0,
    ];

    #[test]
    fn the_header_of_the_firmwares_own_frame_reads_and_writes() {
        let header = FrameHeader::decode(&GOLDEN).unwrap();
        assert_eq!(
            (header.width, header.height, header.format),
            (10, 10, Format::GRAYSCALE)
        );
        assert_eq!((header.size, header.offset, header.fps), (1, 32, 30.0));
        assert_eq!(header.data_size(), Some(100));
        assert_eq!(header.encode(), GOLDEN);
    }

    #[test]
    fn a_header_that_lies_about_its_size_yields_no_picture() {
        let mut header = FrameHeader::decode(&GOLDEN).unwrap();
        let mut frame = header.encode();
        frame.extend([7; 99]);
        let short = Malformed::Short {
            need: 132,
            got: 131,
        };
        assert_eq!(header.data(&frame), Err(short));
        frame.push(7);
        assert_eq!(header.data(&frame).map(<[u8]>::len), Ok(100));
        header.format = Format::JPEG;
        header.size = u32::MAX;
        assert!(matches!(header.data(&frame), Err(Malformed::Short { .. })));
        header.offset = 3;
        assert!(matches!(
            header.data(&frame),
            Err(Malformed::Field {
                field: "offset",
                ..
            })
        ));
        header.format = Format::ARGB8;
        assert!(matches!(
            header.data(&frame),
            Err(Malformed::Field {
                field: "format",
                ..
            })
        ));
    }

    #[test]
    fn impossible_sides_and_rates_are_refused() {
        for (at, bytes) in [(0, [0; 4]), (4, [0, 0, 1, 0]), (20, [0, 0, 0xC0, 0x7F])] {
            let mut frame = GOLDEN;
            frame[at..at + 4].copy_from_slice(&bytes);
            assert!(
                matches!(FrameHeader::decode(&frame), Err(Malformed::Field { .. })),
                "{at}"
            );
        }
    }
}
