//! Pictures as a camera sends them, and what is in them.
//!
//! A [`Frame`] keeps the camera's own bytes; [`Frame::to_rgb`] decodes them when somebody needs
//! pixels. A picture that does not decode is an error of that picture alone.

mod colour;
mod decode;

use std::time::{Duration, SystemTime};

use omv_wire::v2::stream::{Format, raw_size};

/// One picture.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Frame {
    /// Counts the frames of a session, from one. Neither protocol numbers its frames.
    pub number: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// What the bytes are.
    pub format: PixelFormat,
    /// The picture as the camera sent it.
    pub data: Vec<u8>,
    /// Frames a second that the script captures, by the camera's own count; firmware before
    /// 5.0.0 does not tell.
    pub fps: Option<f32>,
    /// When its last byte came, on the clock of the camera's bus.
    pub at: Duration,
    /// The same, as this computer's time of day.
    pub time: SystemTime,
}

/// What the bytes of a [`Frame`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PixelFormat {
    /// One bit a pixel, lowest first, rows in words of 32.
    Binary,
    /// One byte a pixel.
    Grayscale,
    /// Two bytes a pixel, the lower first.
    Rgb565,
    /// Two bytes a pixel, the higher first: firmware before 3.8.0.
    Rgb565Swapped,
    /// One byte a pixel behind a colour filter.
    Bayer(Bayer),
    /// Two bytes a pixel: brightness, and in turn blue and red difference.
    Yuv422,
    /// The same with red before blue.
    Yvu422,
    /// A JPEG file.
    Jpeg,
    /// A PNG file.
    Png,
}

/// Colours of the upper left four pixels, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Bayer {
    Bggr,
    Gbrg,
    Grbg,
    Rggb,
}

impl PixelFormat {
    /// The format a camera's word means, if pictures of it are known here.
    pub fn from_wire(format: Format) -> Option<Self> {
        Some(match format {
            Format::BINARY => Self::Binary,
            Format::GRAYSCALE => Self::Grayscale,
            Format::RGB565 => Self::Rgb565,
            Format::BAYER_BGGR => Self::Bayer(Bayer::Bggr),
            Format::BAYER_GBRG => Self::Bayer(Bayer::Gbrg),
            Format::BAYER_GRBG => Self::Bayer(Bayer::Grbg),
            Format::BAYER_RGGB => Self::Bayer(Bayer::Rggb),
            Format::YUV422 => Self::Yuv422,
            Format::YVU422 => Self::Yvu422,
            Format::JPEG => Self::Jpeg,
            Format::PNG => Self::Png,
            _ => return None,
        })
    }

    /// The word protocol v2 has for it.
    pub fn to_wire(self) -> Format {
        match self {
            Self::Binary => Format::BINARY,
            Self::Grayscale => Format::GRAYSCALE,
            Self::Rgb565 | Self::Rgb565Swapped => Format::RGB565,
            Self::Bayer(Bayer::Bggr) => Format::BAYER_BGGR,
            Self::Bayer(Bayer::Gbrg) => Format::BAYER_GBRG,
            Self::Bayer(Bayer::Grbg) => Format::BAYER_GRBG,
            Self::Bayer(Bayer::Rggb) => Format::BAYER_RGGB,
            Self::Yuv422 => Format::YUV422,
            Self::Yvu422 => Format::YVU422,
            Self::Jpeg => Format::JPEG,
            Self::Png => Format::PNG,
        }
    }

    /// Whether the data is a file with its own idea of its size.
    pub fn is_compressed(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png)
    }

    /// Bytes a picture of this size has; `None` if that depends on the picture.
    pub fn data_size(self, width: u32, height: u32) -> Option<usize> {
        raw_size(self.to_wire(), width, height)
    }
}

/// A decoded picture: three bytes a pixel, red first, rows from the top without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `3 * width * height` bytes.
    pub pixels: Vec<u8>,
}

/// Why a picture is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It has not as many bytes as a picture of its size has.
    #[error("a picture of {need} bytes has {got}")]
    Size {
        /// Bytes it should have.
        need: usize,
        /// Bytes it has.
        got: usize,
    },
    /// It is larger than anything a camera sends.
    #[error("a picture of {width} x {height} pixels is too large")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// The file it is does not decode.
    #[error("a {kind} picture is damaged: {why}")]
    Damaged {
        /// `JPEG` or `PNG`.
        kind: &'static str,
        /// What the decoder says.
        why: String,
    },
}

impl Frame {
    /// A picture from its parts, with no time and no rate: for tests and files.
    pub fn new(number: u64, width: u32, height: u32, format: PixelFormat, data: Vec<u8>) -> Self {
        Self {
            number,
            width,
            height,
            format,
            data,
            fps: None,
            at: Duration::ZERO,
            time: SystemTime::UNIX_EPOCH,
        }
    }

    /// Decodes it. A compressed picture may turn out to have another size than the camera said.
    ///
    /// # Errors
    /// If it is damaged or cut off. Nothing half decoded is returned.
    pub fn to_rgb(&self) -> Result<Rgb, FrameError> {
        decode::to_rgb(self)
    }

    /// Looks whether it can be whole, without decoding: raw pictures by their size, files by
    /// their first and last bytes.
    ///
    /// # Errors
    /// What [`to_rgb`](Self::to_rgb) would say of it.
    pub fn check(&self) -> Result<(), FrameError> {
        decode::check(self)
    }
}
