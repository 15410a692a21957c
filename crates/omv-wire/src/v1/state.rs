//! What `GET_STATE` and `FRAME_SIZE` answer.
//!
//! ```text
//! FRAME_SIZE   width u32 | height u32 | size u32
//! GET_STATE    flags u32 | width u32 | height u32 | size u32 | text, NUL
//! ```
//!
//! Source: openmv/openmv `common/usbdbg.c`, tags v3.5.2 to v4.8.1.

use crate::Malformed;
use crate::v2::stream::{Format, MAX_SIDE, raw_size};

/// A picture that waits in the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSize {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Bytes per pixel of raw pictures (0 binary, 1, 2, and 3 for Bayer in old firmware), else
    /// the bytes of a file.
    pub size: u32,
}

/// What the bytes of a picture are, as far as its size tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pixels.
    Raw(Format),
    /// A JPEG or PNG file.
    File,
}

/// Firmware from here on has no raw Bayer pictures: 3 would be a file of three bytes.
const NO_BAYER: [u8; 3] = [4, 1, 3];

impl FrameSize {
    /// Bytes of the answer to `FRAME_SIZE`.
    pub const SIZE: usize = 12;

    /// Twelve bytes; `None` if no picture waits.
    ///
    /// # Errors
    /// [`Malformed::Short`]; [`Malformed::Field`] for impossible sides.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let need = Self::SIZE;
        let short = Malformed::Short {
            need,
            got: bytes.len(),
        };
        let (words, _) = bytes.as_chunks::<4>();
        let words = words.first_chunk::<3>().ok_or(short)?;
        let [width, height, size] = words.map(u32::from_le_bytes);
        if width == 0 && height == 0 {
            return Ok(None);
        }
        for (field, value) in [("width", width), ("height", height)] {
            if !(1..=MAX_SIDE).contains(&value) {
                return Err(Malformed::Field {
                    field,
                    value: value.into(),
                });
            }
        }
        Ok(Some(Self {
            width,
            height,
            size,
        }))
    }

    /// The twelve bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        [self.width, self.height, self.size]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect()
    }

    /// What the picture is.
    #[must_use]
    pub fn kind(self, firmware: [u8; 3]) -> Kind {
        match self.size {
            0 => Kind::Raw(Format::BINARY),
            1 => Kind::Raw(Format::GRAYSCALE),
            2 => Kind::Raw(Format::RGB565),
            3 if firmware < NO_BAYER => Kind::Raw(Format::BAYER_BGGR),
            _ => Kind::File,
        }
    }

    /// Bytes to ask `FRAME_DUMP` for.
    #[must_use]
    pub fn bytes(self, firmware: [u8; 3]) -> usize {
        let raw = match self.kind(firmware) {
            Kind::Raw(format) => raw_size(format, self.width, self.height),
            Kind::File => None,
        };
        raw.unwrap_or(self.size as usize)
    }
}

/// The answer to `GET_STATE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CameraState {
    /// Whether a script runs.
    pub running: bool,
    /// Whether more text waits.
    pub has_text: bool,
    /// A picture that waits, and is locked for the host from now on.
    pub frame: Option<FrameSize>,
    /// One waits whose sides no picture has. It is locked all the same.
    pub impossible: bool,
    /// Text, which this answer has taken out of the camera.
    pub text: Vec<u8>,
}

impl CameraState {
    /// Bytes before the text.
    pub const HEAD: usize = 16;
    const RUNNING: u32 = 1;
    const TEXT: u32 = 1 << 1;
    const FRAME: u32 = 1 << 2;

    /// Reads an answer of any length.
    ///
    /// # Errors
    /// [`Malformed::Short`] below 16 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let need = Self::HEAD;
        let short = Malformed::Short {
            need,
            got: bytes.len(),
        };
        let (head, text) = bytes.split_first_chunk::<{ Self::HEAD }>().ok_or(short)?;
        let (flags, size) = head.split_first_chunk::<4>().ok_or(short)?;
        let flags = u32::from_le_bytes(*flags);
        let frame = match flags & Self::FRAME {
            0 => Ok(None),
            _ => FrameSize::decode(size),
        };
        Ok(Self {
            running: flags & Self::RUNNING != 0,
            has_text: flags & Self::TEXT != 0,
            frame: frame.unwrap_or_default(),
            impossible: frame.is_err(),
            text: text.iter().copied().take_while(|byte| *byte != 0).collect(),
        })
    }

    /// The answer in `length` bytes; text that does not fit is cut, and one NUL stays.
    #[must_use]
    pub fn encode(&self, length: usize) -> Vec<u8> {
        let mut flags = 0;
        for (set, bit) in [
            (self.running, Self::RUNNING),
            (self.has_text, Self::TEXT),
            (self.frame.is_some(), Self::FRAME),
        ] {
            flags |= if set { bit } else { 0 };
        }
        let mut bytes = u32::to_le_bytes(flags).to_vec();
        match self.frame {
            Some(frame) => bytes.extend(frame.encode()),
            None => bytes.extend([0; FrameSize::SIZE]),
        }
        let room = length.saturating_sub(Self::HEAD + 1);
        bytes.extend(self.text.iter().take(room));
        bytes.resize(length, 0);
        bytes
    }

    /// Bytes of text an answer of `length` bytes has room for.
    #[must_use]
    pub const fn room(length: usize) -> usize {
        length.saturating_sub(Self::HEAD + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_with_a_picture_and_text_reads_as_written() {
        let frame = FrameSize {
            width: 320,
            height: 240,
            size: 7000,
        };
        let state = CameraState {
            running: true,
            has_text: true,
            frame: Some(frame),
            impossible: false,
            text: b"hello\r\n".to_vec(),
        };
        let bytes = state.encode(63);
        assert_eq!(bytes.len(), 63);
        assert_eq!(bytes[..4], [7, 0, 0, 0]);
        assert_eq!(CameraState::decode(&bytes), Ok(state));
    }

    #[test]
    fn the_size_of_a_raw_picture_tells_its_format() {
        let size = |size| FrameSize {
            width: 33,
            height: 10,
            size,
        };
        let now = [4, 5, 2];
        assert_eq!(size(0).bytes(now), 80);
        assert_eq!(size(1).bytes(now), 330);
        assert_eq!(size(2).bytes(now), 660);
        assert_eq!(size(3).bytes(now), 3);
        assert_eq!(size(3).bytes([4, 1, 2]), 330);
        assert_eq!(size(5000).bytes(now), 5000);
    }

    #[test]
    fn impossible_pictures_are_told_apart_and_short_answers_are_refused() {
        assert!(matches!(
            CameraState::decode(&[0; 15]),
            Err(Malformed::Short { .. })
        ));
        let mut bytes = CameraState::default().encode(64);
        bytes[0] = 4;
        assert_eq!(
            CameraState::decode(&bytes).map(|state| state.frame),
            Ok(None)
        );
        bytes[4..8].fill(0xFF);
        bytes[16] = b'!';
        let state = CameraState::decode(&bytes).unwrap();
        assert_eq!((state.frame, state.impossible), (None, true));
        assert_eq!(state.text, b"!", "its text counts all the same");
        assert!(matches!(
            FrameSize::decode(&bytes[4..]),
            Err(Malformed::Field { field: "width", .. })
        ));
    }
}
