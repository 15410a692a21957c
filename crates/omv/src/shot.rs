//! A picture as the doors need it: as JPEG and as pixels, each made at most once however many
//! look at it.

use std::sync::{Arc, OnceLock};

use jpeg_encoder::{ColorType, Encoder};
use omv_camera::{Frame, PixelFormat};

/// Quality of what is encoded here: pictures that the camera sent as pixels.
const QUALITY: u8 = 90;

/// One picture.
pub struct Shot {
    /// The session's number of it.
    pub number: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    frame: Arc<Frame>,
    jpeg: OnceLock<Option<Arc<[u8]>>>,
    rgb: OnceLock<Option<Vec<u8>>>,
}

impl Shot {
    /// Takes a frame of a session.
    pub fn new(frame: Arc<Frame>) -> Self {
        Self {
            number: frame.number,
            width: frame.width,
            height: frame.height,
            frame,
            jpeg: OnceLock::new(),
            rgb: OnceLock::new(),
        }
    }

    /// The bytes of a JPEG: those of the camera if it sent one. None for a picture that is not
    /// whole.
    pub fn jpeg(&self) -> Option<&[u8]> {
        if self.frame.format == PixelFormat::Jpeg {
            return Some(&self.frame.data);
        }
        let made = self
            .jpeg
            .get_or_init(|| encode(self.rgb()?, self.width, self.height));
        made.as_deref()
    }

    /// Three bytes a pixel. None for a picture that is not whole.
    pub fn rgb(&self) -> Option<&[u8]> {
        let made = self.rgb.get_or_init(|| {
            let rgb = self.frame.to_rgb().ok()?;
            let fits = (rgb.width, rgb.height) == (self.width, self.height);
            fits.then_some(rgb.pixels)
        });
        made.as_deref()
    }
}

fn encode(rgb: &[u8], width: u32, height: u32) -> Option<Arc<[u8]>> {
    let (width, height) = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
    let mut jpeg = Vec::new();
    let encoder = Encoder::new(&mut jpeg, QUALITY);
    encoder.encode(rgb, width, height, ColorType::Rgb).ok()?;
    Some(jpeg.into())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A picture of one grey.
    pub fn grey(number: u64, width: u32, height: u32, level: u8) -> Shot {
        let data = vec![level; (width * height) as usize];
        Shot::new(Arc::new(Frame::new(
            number,
            width,
            height,
            PixelFormat::Grayscale,
            data,
        )))
    }

    #[test]
    fn pixels_become_a_jpeg_once() {
        let shot = grey(1, 16, 8, 100);
        let first = shot.jpeg().unwrap().as_ptr();
        assert_eq!(shot.jpeg().unwrap().as_ptr(), first);
        assert!(shot.jpeg().unwrap().starts_with(&[0xFF, 0xD8, 0xFF]));
        assert_eq!(shot.rgb().unwrap(), vec![100; 16 * 8 * 3]);
    }

    #[test]
    fn a_jpeg_of_the_camera_is_not_touched() {
        let data = b"\xFF\xD8\xFF not really".to_vec();
        let frame = Frame::new(7, 16, 8, PixelFormat::Jpeg, data.clone());
        let shot = Shot::new(Arc::new(frame));
        assert_eq!((shot.number, shot.jpeg().unwrap()), (7, &data[..]));
        assert_eq!(shot.rgb(), None, "and a broken one has no pixels");
    }
}
