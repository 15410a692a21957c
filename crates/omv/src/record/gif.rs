//! An animated GIF: 256 colours, but every chat window plays it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use gif::{Encoder, EncodingError, Frame, Repeat};

/// How much work goes into choosing colours: 1 is the most, 30 the least.
const SPEED: i32 = 10;
/// Players show less than two hundredths of a second as a tenth.
const SHORTEST: u128 = 2;

/// Writes one GIF.
pub struct Gif {
    encoder: Encoder<File>,
    width: u16,
    height: u16,
    /// The picture that waits to learn how long it is shown, and when that begins.
    held: Option<(Frame<'static>, Duration)>,
}

impl Gif {
    /// Starts a file for pictures of this size.
    ///
    /// # Errors
    /// Those of creating and writing it; for a size no GIF can have.
    pub fn create(path: &Path, width: u32, height: u32) -> io::Result<Self> {
        let edge = |edge: u32| u16::try_from(edge).map_err(|_| io::ErrorKind::InvalidInput);
        let (width, height) = (edge(width)?, edge(height)?);
        let mut encoder = Encoder::new(File::create(path)?, width, height, &[]).map_err(error)?;
        encoder.set_repeat(Repeat::Infinite).map_err(error)?;
        Ok(Self {
            encoder,
            width,
            height,
            held: None,
        })
    }

    /// Whether a picture of this size belongs into this file.
    pub fn takes(&self, width: u32, height: u32) -> bool {
        (u32::from(self.width), u32::from(self.height)) == (width, height)
    }

    /// Adds a picture taken `at` after the first one, three bytes a pixel.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add(&mut self, rgb: &[u8], at: Duration) -> io::Result<()> {
        self.write_held(at)?;
        let frame = grey(rgb).map_or_else(
            || Frame::from_rgb_speed(self.width, self.height, rgb, SPEED),
            |pixels| Frame::from_palette_pixels(self.width, self.height, pixels, greys(), None),
        );
        self.held = Some((frame, at));
        Ok(())
    }

    /// Writes the last picture.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<()> {
        let last = self.held.as_ref().map_or(Duration::ZERO, |(_, at)| *at);
        self.write_held(last + Duration::from_millis(100))?;
        drop(
            self.encoder
                .into_inner()
                .map_err(|error| io::Error::other(error.to_string()))?,
        );
        Ok(())
    }

    fn write_held(&mut self, until: Duration) -> io::Result<()> {
        let Some((mut frame, since)) = self.held.take() else {
            return Ok(());
        };
        // Rounded from the start of the film, so that the error does not add up.
        let hundredths = until.as_millis() / 10 - since.as_millis() / 10;
        frame.delay = u16::try_from(hundredths.max(SHORTEST)).unwrap_or(u16::MAX);
        self.encoder.write_frame(&frame).map_err(error)
    }
}

/// The pixels of a picture without colour.
fn grey(rgb: &[u8]) -> Option<Vec<u8>> {
    let pixel = |pixel: &[u8]| match pixel {
        [r, g, b] if r == g && g == b => Some(*r),
        _ => None,
    };
    rgb.chunks(3).map(pixel).collect()
}

fn greys() -> Vec<u8> {
    (0..=255).flat_map(|grey| [grey; 3]).collect()
}

fn error(error: EncodingError) -> io::Error {
    match error {
        EncodingError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
