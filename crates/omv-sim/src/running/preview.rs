//! The one frame that waits for the host, and how it is made.

use super::facts::Facts;
use crate::picture::{Format, Picture};

/// Bytes of the header in front of a frame.
const HEADER: usize = 32;
/// How many frames the quality stays down after one that did not fit.
const HELD: u32 = 60;

/// A frame as the host gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Format word of protocol v2.
    pub format: u32,
    /// Bytes of a pixel, or of everything where it is compressed.
    pub size: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Preview of what the script sees. After one frame was stored, no other is until the host took
/// that one: the lock between them is fair.
///
/// Source: openmv/openmv lib/imlib/framebuffer.c, common/mutex.c.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Whether the host wants frames.
    pub enabled: bool,
    raw: bool,
    raw_box: (u32, u32),
    room: usize,
    quality: u8,
    low: u8,
    high: u8,
    held: u32,
    frame: Option<Shown>,
    locked: bool,
    shape: [u32; 3],
    fps: f32,
}

/// What came of showing a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits for the host.
    Stored,
    /// The host has not taken the last one, or wants none.
    Skipped,
    /// It does not fit; the host is told as of a new frame.
    TooBig,
    /// The script's own compressed picture does not fit.
    SourceTooBig,
}

impl Preview {
    /// That of a board that was just switched on.
    pub fn new(facts: &Facts) -> Self {
        let (low, high) = facts.quality;
        Self {
            enabled: false,
            raw: facts.raw_box.is_some(),
            raw_box: facts.raw_box.unwrap_or((0, 0)),
            room: facts.stream_bytes,
            quality: low / 2 + high / 2,
            low,
            high,
            held: 0,
            frame: None,
            locked: false,
            shape: [0; 3],
            fps: 0.0,
        }
    }

    /// What a soft reboot leaves: whether frames are wanted.
    pub fn soft_reboot(&mut self, facts: &Facts) {
        let enabled = self.enabled;
        *self = Self::new(facts);
        self.enabled = enabled;
    }

    /// Switches frames on or off; either drops the one that waits.
    pub fn enable(&mut self, on: bool) {
        self.enabled = on;
        self.locked = false;
        self.frame = None;
    }

    /// Switches raw frames on or off.
    pub fn set_raw(&mut self, on: bool) {
        self.raw = on;
    }

    /// The box raw frames must fit in.
    pub fn set_raw_box(&mut self, width: u32, height: u32) {
        self.raw_box = (width, height);
    }

    /// The script has a picture and its loop this pace.
    pub fn show(&mut self, picture: &Picture, fps: f32) -> Fate {
        self.fps = fps;
        if !self.enabled || self.frame.is_some() || self.locked {
            return Fate::Skipped;
        }
        if picture.format == Format::Jpeg {
            if picture.bytes.len() > self.room {
                return Fate::SourceTooBig;
            }
            self.store(picture, Format::Jpeg.word(), picture.bytes.clone());
            return Fate::Stored;
        }
        if let Some(raw) = self.raw_of(picture) {
            let format = raw.format.word();
            let bytes = raw.bytes.clone();
            self.store(&raw, format, bytes);
            return Fate::Stored;
        }
        let Some(bytes) = picture.to_jpeg(self.quality) else {
            return Fate::TooBig;
        };
        if bytes.len() > self.room {
            self.quality = (self.quality / 2).max(1);
            self.held = HELD;
            return Fate::TooBig;
        }
        let target = if picture.width * picture.height > 320 * 240 {
            self.low
        } else {
            self.high
        };
        if self.held > 0 {
            self.held -= 1;
        } else if self.quality < target {
            self.quality += 1;
        } else {
            self.quality -= u8::from(self.quality > target);
        }
        self.store(picture, Format::Jpeg.word(), bytes);
        Fate::Stored
    }

    /// The picture as it goes out raw, if it does.
    fn raw_of(&self, picture: &Picture) -> Option<Picture> {
        let (width, height) = (self.raw_box.0 as usize, self.raw_box.1 as usize);
        let mutable = matches!(picture.format, Format::Grayscale | Format::Rgb565);
        if !self.raw || width == 0 || height == 0 || !mutable {
            return None;
        }
        let (mut to_width, mut to_height) = (picture.width, picture.height);
        if to_width > width || to_height > height {
            // The smaller of two ratios, kept as a fraction.
            let narrow = width * picture.height <= height * picture.width;
            (to_width, to_height) = match narrow {
                true => (width, picture.height * width / picture.width),
                false => (picture.width * height / picture.height, height),
            };
        }
        let raw = picture.scale(to_width.max(1), to_height.max(1), picture.format);
        (raw.bytes.len() <= self.room).then_some(raw)
    }

    fn store(&mut self, picture: &Picture, format: u32, bytes: Vec<u8>) {
        let pixel = (format & 0xFF).min(2);
        let size = if pixel == 0 {
            bytes.len() as u32
        } else {
            pixel
        };
        let (width, height) = (picture.width as u32, picture.height as u32);
        self.shape = match pixel {
            0 => [size, 0, 0],
            pixel => [width, height, pixel],
        };
        self.frame = Some(Shown {
            width,
            height,
            format,
            size,
            bytes,
        });
    }

    /// Whether a frame waits.
    pub fn is_ready(&self) -> bool {
        self.frame.is_some() && !self.locked
    }

    /// The frame the host holds.
    pub fn held(&self) -> Option<&Shown> {
        self.frame.as_ref().filter(|_| self.locked)
    }

    /// The host takes the frame; false if there is none or it has it already.
    pub fn lock(&mut self) -> bool {
        let ready = self.is_ready();
        self.locked |= ready;
        ready
    }

    /// The host gives it back, and with it the frame goes.
    pub fn unlock(&mut self) {
        if self.locked {
            self.locked = false;
            self.frame = None;
        }
    }

    /// One number for a compressed frame, three for a raw one; of the last that was stored.
    pub fn shape(&self) -> Vec<u32> {
        match self.shape {
            [size, 0, 0] if size > 0 => vec![size],
            shape => shape.to_vec(),
        }
    }

    /// Bytes of header and frame together.
    pub fn size(&self) -> usize {
        self.frame
            .as_ref()
            .map_or(0, |frame| HEADER + frame.bytes.len())
    }

    /// Bytes of header and frame; none where not all of them exist.
    pub fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>> {
        let frame = self.frame.as_ref()?;
        let end = offset
            .checked_add(length)
            .filter(|end| *end <= self.size())?;
        let mut header = [0; HEADER];
        let words = [
            frame.width,
            frame.height,
            frame.format,
            frame.size,
            HEADER as u32,
            self.fps.to_bits(),
        ];
        for (slot, word) in words.iter().enumerate() {
            header[4 * slot..][..4].copy_from_slice(&word.to_le_bytes());
        }
        let from_header = &header[offset.min(HEADER)..end.min(HEADER)];
        let body = offset.saturating_sub(HEADER)..end.saturating_sub(HEADER);
        Some([from_header, &frame.bytes[body]].concat())
    }
}
