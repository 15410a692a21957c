//! Pictures in the camera's memory, in the formats its firmware knows.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// How pixels are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One byte a pixel.
    Grayscale,
    /// Two bytes a pixel, little-endian.
    Rgb565,
    /// One byte a pixel, a colour filter before it: blue, green / green, red.
    Bayer,
    /// Y U Y V.
    Yuv422,
    /// Compressed.
    Jpeg,
}

impl Format {
    /// All, with the names scripts use.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("GRAYSCALE", Self::Grayscale),
        ("RGB565", Self::Rgb565),
        ("BAYER", Self::Bayer),
        ("YUV422", Self::Yuv422),
        ("JPEG", Self::Jpeg),
    ];

    /// The word of protocol v2.
    ///
    /// Source: openmv/openmv lib/imlib/imlib.h.
    pub fn word(self) -> u32 {
        match self {
            Self::Grayscale => 0x0802_0001,
            Self::Rgb565 => 0x0C03_0002,
            Self::Bayer => 0x0504_0001,
            Self::Yuv422 => 0x1405_0002,
            Self::Jpeg => 0x0606_0000,
        }
    }

    /// Bytes of a pixel; none where it is compressed.
    pub fn pixel(self) -> Option<usize> {
        match self {
            Self::Grayscale | Self::Bayer => Some(1),
            Self::Rgb565 | Self::Yuv422 => Some(2),
            Self::Jpeg => None,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, format)| *format == self);
        named.map_or("", |(name, _)| name)
    }
}

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Format of the bytes.
    pub format: Format,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Red, green, blue.
pub type Colour = [u8; 3];

impl Picture {
    /// A black one.
    pub fn black(width: usize, height: usize, format: Format) -> Self {
        let size = width * height * format.pixel().unwrap_or(0);
        let mut picture = Self {
            width,
            height,
            format,
            bytes: vec![0; size],
        };
        if format == Format::Yuv422 {
            picture
                .bytes
                .iter_mut()
                .skip(1)
                .step_by(2)
                .for_each(|c| *c = 128);
        }
        picture
    }

    /// The colour of a pixel; black outside and for a compressed one.
    pub fn get(&self, x: usize, y: usize) -> Colour {
        if x >= self.width || y >= self.height {
            return [0; 3];
        }
        let at = y * self.width + x;
        match self.format {
            Format::Grayscale => [self.bytes[at]; 3],
            Format::Rgb565 => from_565(u16::from_le_bytes([
                self.bytes[2 * at],
                self.bytes[2 * at + 1],
            ])),
            Format::Bayer => {
                let near = |dx: usize, dy: usize| {
                    let (x, y) = ((x & !1) + dx, (y & !1) + dy);
                    let inside = x < self.width && y < self.height;
                    if inside {
                        self.bytes[y * self.width + x]
                    } else {
                        0
                    }
                };
                [near(1, 1), near(1, 0) / 2 + near(0, 1) / 2, near(0, 0)]
            }
            Format::Yuv422 => {
                let pair = (at & !1) * 2;
                let byte = |at: usize| i32::from(self.bytes.get(at).copied().unwrap_or(128));
                from_yuv(
                    i32::from(self.bytes[2 * at]),
                    byte(pair + 1),
                    byte(pair + 3),
                )
            }
            Format::Jpeg => [0; 3],
        }
    }

    /// Gives a pixel a colour; outside nothing happens.
    pub fn set(&mut self, x: usize, y: usize, colour: Colour) {
        if x >= self.width || y >= self.height {
            return;
        }
        let at = y * self.width + x;
        match self.format {
            Format::Grayscale => self.bytes[at] = luma(colour),
            Format::Rgb565 => {
                let word = to_565(colour).to_le_bytes();
                self.bytes[2 * at..2 * at + 2].copy_from_slice(&word);
            }
            Format::Bayer => {
                self.bytes[at] = match (x & 1, y & 1) {
                    (0, 0) => colour[2],
                    (1, 1) => colour[0],
                    _ => colour[1],
                };
            }
            Format::Yuv422 => {
                let [y, u, v] = to_yuv(colour);
                self.bytes[2 * at] = y;
                self.bytes[2 * at + 1] = if at & 1 == 0 { u } else { v };
            }
            Format::Jpeg => {}
        }
    }

    /// Rows of RGB, as encoders want them.
    pub fn rgb(&self) -> Vec<u8> {
        let mut rgb = Vec::with_capacity(self.width * self.height * 3);
        match self.format {
            Format::Rgb565 => rgb.extend(
                self.bytes
                    .chunks_exact(2)
                    .flat_map(|two| from_565(u16::from_le_bytes([two[0], two[1]]))),
            ),
            _ => {
                for y in 0..self.height {
                    for x in 0..self.width {
                        rgb.extend(self.get(x, y));
                    }
                }
            }
        }
        rgb
    }

    /// Compresses it; one that is stays as it is. `None` for a size no JPEG has.
    pub fn to_jpeg(&self, quality: u8) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, quality.clamp(1, 100));
        let size = (self.width.try_into().ok()?, self.height.try_into().ok()?);
        let done = match self.format {
            Format::Jpeg => return Some(self.bytes.clone()),
            Format::Grayscale => encoder.encode(&self.bytes, size.0, size.1, ColorType::Luma),
            _ => {
                encoder.set_sampling_factor(SamplingFactor::F_2_1);
                encoder.encode(&self.rgb(), size.0, size.1, ColorType::Rgb)
            }
        };
        done.ok().map(|()| bytes)
    }

    /// The same picture in another uncompressed format.
    pub fn convert(&self, format: Format) -> Self {
        self.scale(self.width, self.height, format)
    }

    /// Another size and format, nearest pixel taken.
    pub fn scale(&self, width: usize, height: usize, format: Format) -> Self {
        if (width, height, format) == (self.width, self.height, self.format) {
            return self.clone();
        }
        let mut to = Self::black(width, height, format);
        for y in 0..height {
            for x in 0..width {
                to.set(
                    x,
                    y,
                    self.get(x * self.width / width, y * self.height / height),
                );
            }
        }
        to
    }

    /// A part of it.
    pub fn crop(&self, (x0, y0): (usize, usize), width: usize, height: usize) -> Self {
        let mut to = Self::black(width, height, self.format);
        let inside = x0 + width <= self.width && y0 + height <= self.height;
        if let (true, Format::Grayscale | Format::Rgb565, Some(pixel)) =
            (inside && width > 0, self.format, self.format.pixel())
        {
            let rows = to.bytes.chunks_exact_mut(width * pixel);
            for (row, y) in rows.zip(y0..) {
                let from = (y * self.width + x0) * pixel;
                row.copy_from_slice(&self.bytes[from..from + width * pixel]);
            }
            return to;
        }
        for y in 0..height {
            for x in 0..width {
                to.set(x, y, self.get(x0 + x, y0 + y));
            }
        }
        to
    }
}

/// Brightness: the weights of ITU-R BT.601.
pub fn luma([red, green, blue]: Colour) -> u8 {
    ((u32::from(red) * 38 + u32::from(green) * 75 + u32::from(blue) * 15) >> 7) as u8
}

fn to_565([red, green, blue]: Colour) -> u16 {
    u16::from(red >> 3) << 11 | u16::from(green >> 2) << 5 | u16::from(blue >> 3)
}

fn from_565(word: u16) -> Colour {
    let (red, green, blue) = (word >> 11, word >> 5 & 0x3F, word & 0x1F);
    [
        (red << 3 | red >> 2) as u8,
        (green << 2 | green >> 4) as u8,
        (blue << 3 | blue >> 2) as u8,
    ]
}

fn to_yuv([red, green, blue]: Colour) -> [u8; 3] {
    let [r, g, b] = [red, green, blue].map(i32::from);
    let u = ((-43 * r - 85 * g + 128 * b) >> 8) + 128;
    let v = ((128 * r - 107 * g - 21 * b) >> 8) + 128;
    [luma([red, green, blue]), byte(u), byte(v)]
}

fn from_yuv(y: i32, u: i32, v: i32) -> Colour {
    let (u, v) = (u - 128, v - 128);
    [
        byte(y + ((359 * v) >> 8)),
        byte(y - ((88 * u + 183 * v) >> 8)),
        byte(y + ((454 * u) >> 8)),
    ]
}

fn byte(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_survives_each_colour_format_nearly() {
        for format in [Format::Rgb565, Format::Yuv422, Format::Bayer] {
            let mut picture = Picture::black(4, 4, format);
            for (x, y) in (0..16).map(|n| (n % 4, n / 4)) {
                picture.set(x, y, [200, 100, 40]);
            }
            let [red, green, blue] = picture.get(1, 1).map(i32::from);
            let off = [red - 200, green - 100, blue - 40].map(i32::abs);
            assert!(off.iter().all(|off| *off < 9), "{format:?} {off:?}");
        }
    }

    #[test]
    fn a_part_of_a_picture_is_what_was_there_and_black_beyond() {
        for format in [Format::Grayscale, Format::Rgb565] {
            let mut whole = Picture::black(6, 4, format);
            for (x, y) in (0..24).map(|n| (n % 6, n / 6)) {
                whole.set(x, y, [(x * 40) as u8, (y * 60) as u8, 8]);
            }
            for corner in [(2, 1), (4, 2)] {
                let part = whole.crop(corner, 4, 3);
                for (x, y) in (0..12).map(|n| (n % 4, n / 4)) {
                    let was = whole.get(corner.0 + x, corner.1 + y);
                    assert_eq!(part.get(x, y), was, "{format:?} {x} {y}");
                }
            }
        }
    }

    #[test]
    fn a_compressed_picture_begins_and_ends_as_a_jpeg() {
        let jpeg = Picture::black(32, 16, Format::Rgb565).to_jpeg(50).unwrap();
        assert!(jpeg.starts_with(&[0xFF, 0xD8]) && jpeg.ends_with(&[0xFF, 0xD9]));
    }
}
