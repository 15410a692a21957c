//! What the virtual sensor looks at: made-up scenes that can be checked, pictures of a folder, or a film.
//!
//! ```text
//!   +--------------------------------------+
//!   |1 0 n n n n n n n n n n n n n n n n p 0|  upper eighth: 20 cells, white is 1; sixteen bits of
//!   |                                      |  the frame's number, highest first, and their parity
//!   |     scene                            |
//!   +--------------------------------------+
//! ```
//!
//! The number can be read back from the pixels, also out of a JPEG, so a frame that was lost,
//! doubled, torn or shown late gives itself away. A scene is a function of that number alone.

mod video;

use std::io;
use std::path::Path;
use std::sync::Arc;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::picture::{Colour, Format, Picture};

/// Cells of the number's strip.
const CELLS: usize = 20;
/// An AprilTag of the family 36h11, its first, rows from the top: 1 is white.
const TAG: [u8; 6] = [0b110101, 0b011101, 0b100010, 0b100001, 0b011000, 0b010011];
/// Colours of the blobs.
const BLOBS: [Colour; 4] = [[220, 30, 30], [30, 200, 40], [40, 60, 230], [230, 200, 30]];

/// One thing to look at.
#[derive(Clone, Debug, Default)]
pub enum Scene {
    /// A moving gradient with a marker.
    #[default]
    TestCard,
    /// Colour blobs on grey, at places that are known ([`Scene::blobs`]).
    Blobs,
    /// A checkerboard that slides.
    Checkerboard,
    /// Noise: what compresses worst.
    Noise,
    /// Nothing at all; without a number, too.
    Black,
    /// JPEG pictures, one a frame: of a folder, by name, or of a film. A sensor that is asked for JPEG passes
    /// them on as they are; for pixels they are brought to the size of the frame, cut where the shape differs.
    Photos(Arc<Vec<Photo>>),
}

/// A picture from a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Pixels in a row, as its header says.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The JPEG.
    pub bytes: Vec<u8>,
}

/// A blob of [`Scene::Blobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Centre.
    pub x: usize,
    /// Centre.
    pub y: usize,
    /// Half of its side.
    pub radius: usize,
    /// Colour.
    pub colour: Colour,
}

impl Scene {
    /// Names that [`Scene::parse`] takes.
    pub const NAMES: [&'static str; 5] = ["card", "blobs", "checkerboard", "noise", "black"];

    /// A scene by its name, a folder of JPEG pictures, or a film of them.
    ///
    /// # Errors
    /// What the operating system says, or that there is no JPEG in it.
    pub fn parse(text: &str) -> io::Result<Self> {
        Ok(match text {
            "card" => Self::TestCard,
            "blobs" => Self::Blobs,
            "checkerboard" => Self::Checkerboard,
            "noise" => Self::Noise,
            "black" => Self::Black,
            path if Path::new(path).is_file() => {
                Self::Photos(Arc::new(video::read(Path::new(path))?))
            }
            folder => Self::folder(Path::new(folder))?,
        })
    }

    fn folder(path: &Path) -> io::Result<Self> {
        let entries = std::fs::read_dir(path)?.filter_map(Result::ok);
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        let is_jpeg = |path: &std::path::PathBuf| {
            let end = path.extension().unwrap_or_default().to_ascii_lowercase();
            end == "jpg" || end == "jpeg"
        };
        let mut photos = Vec::new();
        for path in paths.into_iter().filter(is_jpeg) {
            photos.extend(Photo::of(std::fs::read(path)?));
        }
        if photos.is_empty() {
            let why = "there is no JPEG picture in the folder";
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        Ok(Self::Photos(Arc::new(photos)))
    }

    /// The frame of this number.
    pub fn render(&self, number: u32, (width, height): (usize, usize), format: Format) -> Picture {
        if let Self::Photos(photos) = self {
            let photo = &photos[number as usize % photos.len()];
            return match format {
                Format::Jpeg => Picture {
                    width: photo.width,
                    height: photo.height,
                    format,
                    bytes: photo.bytes.clone(),
                },
                _ => photo.pixels((width, height), format),
            };
        }
        let drawn = if format == Format::Jpeg {
            Format::Rgb565
        } else {
            format
        };
        let mut picture = Picture::black(width, height, drawn);
        match self {
            Self::TestCard => test_card(&mut picture, number),
            Self::Blobs => {
                fill(&mut picture, |_, _| [110; 3]);
                for blob in Self::blobs(number, (width, height)) {
                    square(&mut picture, (blob.x, blob.y), blob.radius, blob.colour);
                }
            }
            Self::Checkerboard => {
                let side = (width / 16).max(4);
                let shift = number as usize % (2 * side);
                fill(&mut picture, |x, y| {
                    [if ((x + shift) / side + y / side).is_multiple_of(2) {
                        230
                    } else {
                        25
                    }; 3]
                });
            }
            Self::Noise => {
                let mut state = number.wrapping_mul(0x9E37_79B9) | 1;
                picture.bytes.iter_mut().for_each(|byte| {
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                    *byte = (state >> 24) as u8;
                });
            }
            Self::Black | Self::Photos(_) => return picture,
        }
        write_number(&mut picture, number as u16);
        picture
    }

    /// Where the blobs of a frame are.
    pub fn blobs(number: u32, (width, height): (usize, usize)) -> [Blob; 4] {
        let radius = (height / 12).max(3);
        std::array::from_fn(|index| {
            let (across, down) = (width - 4 * radius, height * 3 / 4 - 4 * radius);
            let step = number as usize * (index + 1) * 2;
            Blob {
                x: 2 * radius + bounce(step + index * across / 4, across),
                y: height / 4 + bounce(step / 2 + index * down / 4, down) + radius,
                radius,
                colour: BLOBS[index],
            }
        })
    }
}

impl Photo {
    /// A JPEG whose header says a size; none for anything else.
    pub fn of(bytes: Vec<u8>) -> Option<Self> {
        let mut at = 2;
        if !bytes.starts_with(&[0xFF, 0xD8]) {
            return None;
        }
        // Segment by segment, up to the one that begins a frame (C0 to C3).
        loop {
            let [0xFF, kind, high, low] = *bytes.get(at..at + 4)? else {
                return None;
            };
            if (0xC0..=0xC3).contains(&kind) {
                let half = |at: usize| {
                    Some(usize::from(u16::from_be_bytes([
                        *bytes.get(at)?,
                        *bytes.get(at + 1)?,
                    ])))
                };
                let (height, width) = (half(at + 5)?, half(at + 7)?);
                return (width > 0 && height > 0).then_some(Self {
                    width,
                    height,
                    bytes,
                });
            }
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
    }

    /// As a sensor of this size sees it; black where it cannot be decoded.
    fn pixels(&self, (width, height): (usize, usize), format: Format) -> Picture {
        let mut picture = Picture::black(width, height, format);
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
        let cursor = ZCursor::new(&self.bytes);
        let Ok(rgb) = JpegDecoder::new_with_options(cursor, options).decode() else {
            return picture;
        };
        // The largest part of it that has the shape of the frame, from its middle.
        let wide = (self.height * width / height).clamp(1, self.width);
        let high = (self.width * height / width).clamp(1, self.height);
        let (left, top) = ((self.width - wide) / 2, (self.height - high) / 2);
        fill(&mut picture, |x, y| {
            let from = (top + y * high / height) * self.width + left + x * wide / width;
            let pixel = rgb.get(3 * from..).and_then(|rest| rest.first_chunk());
            pixel.copied().unwrap_or_default()
        });
        picture
    }
}

/// Back and forth between 0 and `span`.
fn bounce(step: usize, span: usize) -> usize {
    let span = span.max(1);
    let at = step % (2 * span);
    if at < span { at } else { 2 * span - at }
}

fn fill(picture: &mut Picture, colour: impl Fn(usize, usize) -> Colour) {
    for y in 0..picture.height {
        for x in 0..picture.width {
            picture.set(x, y, colour(x, y));
        }
    }
}

fn square(picture: &mut Picture, (x, y): (usize, usize), radius: usize, colour: Colour) {
    for row in y.saturating_sub(radius)..y + radius {
        for column in x.saturating_sub(radius)..x + radius {
            picture.set(column, row, colour);
        }
    }
}

fn test_card(picture: &mut Picture, number: u32) {
    let (width, height) = (picture.width, picture.height);
    let shift = number as usize * 2;
    fill(picture, |x, y| {
        let across = ((x + shift) % width * 255 / width) as u8;
        let down = (y * 255 / height) as u8;
        [across, down, 255 - across]
    });
    let cell = (height / 24).max(1);
    let side = 10 * cell;
    if side + 2 > width || side + height / 8 > height {
        return;
    }
    let left = bounce(shift, width - side);
    let top = height / 4;
    for row in 0..10 {
        for column in 0..10 {
            let edge = row == 0 || row == 9 || column == 0 || column == 9;
            let inside = (2..8).contains(&row) && (2..8).contains(&column);
            let bit = inside && TAG[row - 2] >> (7 - column) & 1 == 1;
            let colour = if edge || bit { [255; 3] } else { [0; 3] };
            for y in 0..cell {
                for x in 0..cell {
                    picture.set(left + column * cell + x, top + row * cell + y, colour);
                }
            }
        }
    }
}

fn cells(number: u16) -> [bool; CELLS] {
    let mut cells = [false; CELLS];
    cells[0] = true;
    for bit in 0..16 {
        cells[2 + bit] = number >> (15 - bit) & 1 == 1;
    }
    cells[18] = number.count_ones() % 2 == 1;
    cells
}

fn write_number(picture: &mut Picture, number: u16) {
    let (width, height) = (picture.width, picture.height / 8);
    let cells = cells(number);
    for y in 0..height {
        for x in 0..width {
            let on = cells[(x * CELLS / width).min(CELLS - 1)];
            picture.set(x, y, if on { [255; 3] } else { [0; 3] });
        }
    }
}

/// Reads a frame's number out of its brightness, one byte a pixel, row by row. `None` where the
/// strip makes no sense, as in a frame that is torn.
pub fn read_number(gray: &[u8], width: usize, height: usize) -> Option<u16> {
    let row = gray.get(height / 16 * width..)?.get(..width)?;
    let mut found = [false; CELLS];
    for (index, cell) in found.iter_mut().enumerate() {
        let value = *row.get((2 * index + 1) * width / (2 * CELLS))?;
        *cell = match value {
            0..=90 => false,
            165.. => true,
            _ => return None,
        };
    }
    let bits = found[2..18].iter();
    let number = bits.fold(0, |number, bit| number << 1 | u16::from(*bit));
    (found == cells(number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_frame_is_read_back_in_every_size_and_format() {
        for size in [(160, 120), (320, 240), (640, 480)] {
            for scene in [
                Scene::TestCard,
                Scene::Blobs,
                Scene::Checkerboard,
                Scene::Noise,
            ] {
                for format in [Format::Grayscale, Format::Rgb565, Format::Yuv422] {
                    let picture = scene.render(0xA5_1234, size, format);
                    let gray = picture.convert(Format::Grayscale);
                    let number = read_number(&gray.bytes, size.0, size.1);
                    assert_eq!(number, Some(0x1234), "{scene:?} {size:?} {format:?}");
                }
            }
        }
    }

    #[test]
    fn a_strip_that_changes_in_the_middle_is_no_number() {
        let whole = Scene::TestCard.render(7, (320, 240), Format::Grayscale);
        let mut torn = whole.bytes.clone();
        torn[15 * 320 + 36..][..8].fill(255);
        assert_eq!(read_number(&torn, 320, 240), None);
        assert_eq!(read_number(&torn[..100], 320, 240), None);
    }

    #[test]
    fn blobs_stay_inside_the_picture_and_below_the_strip() {
        for number in 0..2000 {
            for blob in Scene::blobs(number, (320, 240)) {
                assert!(
                    blob.x >= blob.radius && blob.x + blob.radius <= 320,
                    "{number}"
                );
                assert!(
                    blob.y >= 30 + blob.radius && blob.y + blob.radius <= 240,
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn a_photo_tells_its_size() {
        let jpeg = Picture::black(48, 32, Format::Grayscale)
            .to_jpeg(80)
            .unwrap();
        let photo = Photo::of(jpeg).unwrap();
        assert_eq!((photo.width, photo.height), (48, 32));
        assert_eq!(Photo::of(b"GIF89a".to_vec()), None);
    }

    #[test]
    fn a_photo_is_seen_in_the_size_and_format_of_the_sensor() {
        // Left half red, right half blue; the frame is square, so that its outer quarters are cut off.
        let mut whole = Picture::black(64, 32, Format::Rgb565);
        fill(
            &mut whole,
            |x, _| if x < 32 { [255, 0, 0] } else { [0, 0, 255] },
        );
        let photo = Photo::of(whole.to_jpeg(95).unwrap()).unwrap();
        let scene = Scene::Photos(Arc::new(vec![photo.clone()]));
        for format in [Format::Rgb565, Format::Yuv422] {
            let seen = scene.render(7, (16, 16), format);
            assert_eq!((seen.width, seen.height, seen.format), (16, 16, format));
            let ([red, _, low], [none, _, blue]) = (seen.get(4, 8), seen.get(12, 8));
            let right = red > 200 && low < 60 && none < 60 && blue > 200;
            assert!(
                right,
                "{format:?}: {:?} {:?}",
                seen.get(4, 8),
                seen.get(12, 8)
            );
        }
        assert_eq!(scene.render(7, (16, 16), Format::Jpeg).bytes, photo.bytes);
        let torn = Photo {
            bytes: photo.bytes[..40].to_vec(),
            ..photo
        };
        assert_eq!(torn.pixels((16, 16), Format::Grayscale).bytes, [0; 256]);
    }
}
