//! Motion JPEG in an AVI file: every picture as the camera sent it.
//!
//! ```text
//!   RIFF AVI   hdrl (what it is, how many, index of indexes)
//!              movi  00dc JPEG, 00dc JPEG, ...  ix00
//!              idx1                                  the index old players want
//!   RIFF AVIX  movi  00dc JPEG, ...             ix00  from 1 GiB on, as often as needed
//! ```
//!
//! Sizes and counts are brought up to date about once a second, so a file whose writer was killed
//! still plays: players rebuild the index that is missing. AVI has one frame rate for the whole
//! file; it is the measured one, and the real times are kept beside the file.
//!
//! Sources: Microsoft, "AVI RIFF File Reference"; OpenDML, "AVI File Format Extensions" 1.02.

use std::io::{self, Seek, SeekFrom, Write};
use std::time::Duration;

/// Where the numbers stand that change, from the start of the file.
mod at {
    pub const RIFF_SIZE: u64 = 4;
    pub const AVIH: u64 = 32;
    pub const STRH: u64 = AVIH + 56 + 12 + 8;
    pub const STRF: u64 = STRH + 56 + 8;
    pub const INDX: u64 = STRF + 40 + 8;
    pub const DMLH: u64 = INDX + super::INDX_SIZE as u64 + 12 + 8;
    pub const MOVI_SIZE: u64 = DMLH + 248 + 4;
    /// The word `movi` itself: what `idx1` counts from.
    pub const MOVI: u64 = MOVI_SIZE + 4;
    pub const FIRST: u64 = MOVI + 4;
}

/// How many parts a file can have; each is about as long as [`Avi::part`].
const PARTS: usize = 256;
const INDX_SIZE: u32 = 24 + 16 * PARTS as u32;
/// OpenDML asks for a new part before old players lose count.
const PART: u64 = 1 << 30;
/// How often a file is made whole for the case that the program dies.
const EVERY: Duration = Duration::from_secs(1);
const KEY_FRAME: u32 = 0x10;
/// avih: has an index, the index is to be believed.
const FLAGS: u32 = 0x10 | 0x800;

/// Writes one AVI file.
pub struct Avi<W: Write + Seek> {
    file: W,
    width: u32,
    height: u32,
    /// Length of a part, bytes.
    part: u64,
    /// Where the file ends.
    end: u64,
    /// Where the `RIFF` of the current part starts.
    riff: u64,
    /// Pictures of the current part: where their bytes start, and how many.
    shots: Vec<(u64, u32)>,
    /// Pictures of the first part alone: those `idx1` tells of.
    first: usize,
    frames: u32,
    largest: u32,
    parts: Vec<(u64, u32, u32)>,
    last: Duration,
    fresh: Duration,
}

impl<W: Write + Seek> Avi<W> {
    /// Starts a file for pictures of this size.
    ///
    /// # Errors
    /// Those of writing.
    pub fn new(file: W, width: u32, height: u32) -> io::Result<Self> {
        Self::with_part(file, width, height, PART)
    }

    fn with_part(mut file: W, width: u32, height: u32, part: u64) -> io::Result<Self> {
        let head = head(width, height);
        debug_assert_eq!(head.len() as u64, at::FIRST);
        file.write_all(&head)?;
        Ok(Self {
            file,
            width,
            height,
            part,
            end: at::FIRST,
            riff: 0,
            shots: Vec::new(),
            first: 0,
            frames: 0,
            largest: 0,
            parts: Vec::new(),
            last: Duration::ZERO,
            fresh: Duration::ZERO,
        })
    }

    /// Whether a picture of this size belongs into this file.
    pub fn takes(&self, width: u32, height: u32) -> bool {
        (width, height) == (self.width, self.height)
    }

    /// Adds a picture taken `at` after the first one.
    ///
    /// # Errors
    /// Those of writing; when the file is as long as AVI allows.
    pub fn add(&mut self, jpeg: &[u8], at: Duration) -> io::Result<()> {
        let size = u32::try_from(jpeg.len()).map_err(|_| too_long())?;
        if self.end - self.riff + u64::from(size) > self.part && !self.shots.is_empty() {
            self.next_part()?;
        }
        let mut chunk = Vec::with_capacity(jpeg.len() + 9);
        chunk.extend_from_slice(b"00dc");
        chunk.extend_from_slice(&size.to_le_bytes());
        chunk.extend_from_slice(jpeg);
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        self.file.write_all(&chunk)?;
        self.shots.push((self.end + 8, size));
        self.end += chunk.len() as u64;
        self.frames += 1;
        self.largest = self.largest.max(size);
        self.last = at;
        if at.saturating_sub(self.fresh) >= EVERY {
            self.fresh = at;
            self.refresh()?;
        }
        Ok(())
    }

    /// Writes what is missing, and makes the file whole.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<W> {
        self.close_part()?;
        self.refresh()?;
        self.file.flush()?;
        Ok(self.file)
    }

    /// The index of a part; with the first one, that for old players too.
    fn close_part(&mut self) -> io::Result<()> {
        let base = self.riff;
        let mut index = chunk_head(b"ix00", 24 + 8 * self.shots.len() as u64)?;
        index.extend_from_slice(&[2, 0, 0, 1]);
        index.extend_from_slice(&(self.shots.len() as u32).to_le_bytes());
        index.extend_from_slice(b"00dc");
        index.extend_from_slice(&base.to_le_bytes());
        index.extend_from_slice(&[0; 4]);
        for (start, size) in &self.shots {
            let offset = u32::try_from(start - base).map_err(|_| too_long())?;
            index.extend_from_slice(&offset.to_le_bytes());
            index.extend_from_slice(&size.to_le_bytes());
        }
        let entry = (self.end, index.len() as u32, self.shots.len() as u32);
        self.append(&index)?;
        self.parts.push(entry);
        self.end_movi()?;
        if self.riff == 0 {
            self.first = self.shots.len();
            let mut old = chunk_head(b"idx1", 16 * self.first as u64)?;
            for (start, size) in &self.shots {
                let offset = u32::try_from(start - 8 - at::MOVI).map_err(|_| too_long())?;
                old.extend_from_slice(b"00dc");
                for word in [KEY_FRAME, offset, *size] {
                    old.extend_from_slice(&word.to_le_bytes());
                }
            }
            self.append(&old)?;
        }
        self.shots.clear();
        self.end_riff()
    }

    fn next_part(&mut self) -> io::Result<()> {
        self.close_part()?;
        if self.parts.len() == PARTS {
            return Err(too_long());
        }
        self.riff = self.end;
        let mut head = b"RIFF\0\0\0\0AVIXLIST\0\0\0\0movi".to_vec();
        debug_assert_eq!(head.len(), 24);
        self.append(&std::mem::take(&mut head))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// The list of pictures reaches to the end of the file.
    fn end_movi(&mut self) -> io::Result<()> {
        let size = match self.riff {
            0 => at::MOVI_SIZE,
            riff => riff + 16,
        };
        self.put(size, self.end - size - 4)
    }

    fn end_riff(&mut self) -> io::Result<()> {
        self.put(self.riff + at::RIFF_SIZE, self.end - self.riff - 8)
    }

    /// Brings counts, rate and sizes up to date.
    fn refresh(&mut self) -> io::Result<()> {
        if !self.shots.is_empty() {
            self.end_movi()?;
            self.end_riff()?;
        }
        let micros = match (self.last.as_micros() as u64, self.frames) {
            (0, _) | (_, 0 | 1) => 40_000,
            (span, frames) => (span / u64::from(frames - 1)).max(1),
        };
        // Old players count the first part only.
        let first = if self.first > 0 {
            self.first as u32
        } else {
            self.frames
        };
        self.put(at::AVIH, micros)?;
        self.put(at::AVIH + 16, first.into())?;
        self.put(at::AVIH + 28, self.largest.into())?;
        self.put(at::STRH + 20, micros)?;
        self.put(at::STRH + 24, 1_000_000)?;
        self.put(at::STRH + 32, self.frames.into())?;
        self.put(at::STRH + 36, self.largest.into())?;
        self.put(at::DMLH, self.frames.into())?;
        self.put(at::INDX + 4, self.parts.len() as u64)?;
        for (place, (start, size, frames)) in self.parts.clone().into_iter().enumerate() {
            let entry = at::INDX + 24 + 16 * place as u64;
            self.put(entry, start & 0xFFFF_FFFF)?;
            self.put(entry + 4, start >> 32)?;
            self.put(entry + 8, size.into())?;
            self.put(entry + 12, frames.into())?;
        }
        Ok(())
    }

    /// Writes one 32-bit number in place.
    fn put(&mut self, at: u64, value: u64) -> io::Result<()> {
        let value = u32::try_from(value).map_err(|_| too_long())?;
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(&value.to_le_bytes())?;
        self.file.seek(SeekFrom::Start(self.end))?;
        Ok(())
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "an AVI file cannot be longer")
}

fn chunk_head(name: &[u8; 4], size: u64) -> io::Result<Vec<u8>> {
    let size = u32::try_from(size).map_err(|_| too_long())?;
    let mut head = name.to_vec();
    head.extend_from_slice(&size.to_le_bytes());
    Ok(head)
}

/// Everything before the first picture.
fn head(width: u32, height: u32) -> Vec<u8> {
    let mut head = Vec::with_capacity(at::FIRST as usize);
    let mut words = |name: &[u8], words: &[u32]| {
        head.extend_from_slice(name);
        for word in words {
            head.extend_from_slice(&word.to_le_bytes());
        }
    };
    let mjpg = u32::from_le_bytes(*b"MJPG");
    let strl = 4 + (8 + 56) + (8 + 40) + (8 + INDX_SIZE);
    words(b"RIFF", &[0]);
    words(b"AVI LIST", &[4 + 8 + 56 + 8 + strl + 12 + 8 + 248]);
    words(
        b"hdrlavih",
        &[
            56, 40_000, 0, 0, FLAGS, 0, 0, 1, 0, width, height, 0, 0, 0, 0,
        ],
    );
    words(b"LIST", &[strl]);
    words(b"strlstrh", &[56]);
    words(
        b"vidsMJPG",
        &[0, 0, 0, 40_000, 1_000_000, 0, 0, 0, u32::MAX, 0, 0],
    );
    words(b"", &[(height << 16) | (width & 0xFFFF)]);
    let bits = 24 << 16 | 1;
    let size = width.saturating_mul(height).saturating_mul(3);
    words(
        b"strf",
        &[40, 40, width, height, bits, mjpg, size, 0, 0, 0, 0],
    );
    words(b"indx", &[INDX_SIZE, 4, 0]);
    words(b"00dc", &[0, 0, 0]);
    words(b"", &[0; 4 * PARTS]);
    words(b"LIST", &[4 + 8 + 248]);
    words(b"odmldmlh", &[248]);
    words(b"", &[0; 62]);
    words(b"LIST", &[4]);
    words(b"movi", &[]);
    head
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// The chunks of a RIFF file, walked by the sizes it gives: name, where its content starts,
    /// size.
    fn walk(bytes: &[u8], from: usize, to: usize, found: &mut Vec<(String, usize, usize)>) {
        let mut at = from;
        while at + 8 <= to {
            let name = String::from_utf8_lossy(&bytes[at..at + 4]).into_owned();
            let size = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
            assert!(
                at + 8 + size <= to,
                "{name} at {at} ends at {} of {to}",
                at + 8 + size
            );
            if name == "RIFF" || name == "LIST" {
                let kind = String::from_utf8_lossy(&bytes[at + 8..at + 12]).into_owned();
                found.push((kind, at + 12, size - 4));
                walk(bytes, at + 12, at + 8 + size, found);
            } else {
                found.push((name, at + 8, size));
            }
            at += 8 + size.next_multiple_of(2);
        }
        assert_eq!(at, to, "nothing is left over");
    }

    fn chunks(bytes: &[u8]) -> Vec<(String, usize, usize)> {
        let mut found = Vec::new();
        walk(bytes, 0, bytes.len(), &mut found);
        found
    }

    fn word(bytes: &[u8], at: usize) -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    }

    fn shot(number: usize) -> Vec<u8> {
        vec![number as u8; 100 + number * 7]
    }

    fn film(frames: usize, part: u64) -> Avi<Cursor<Vec<u8>>> {
        let mut avi = Avi::with_part(Cursor::new(Vec::new()), 320, 240, part).unwrap();
        for number in 0..frames {
            avi.add(&shot(number), Duration::from_millis(50 * number as u64))
                .unwrap();
        }
        avi
    }

    #[test]
    fn every_picture_is_in_the_file_and_both_indexes_find_it() {
        let bytes = film(41, PART).finish().unwrap().into_inner();
        let all = chunks(&bytes);
        let pictures: Vec<_> = all.iter().filter(|chunk| chunk.0 == "00dc").collect();
        assert_eq!(pictures.len(), 41);
        let movi = all.iter().find(|chunk| chunk.0 == "movi").unwrap().1 - 4;
        let idx1 = all.iter().find(|chunk| chunk.0 == "idx1").unwrap();
        let ix00 = all.iter().find(|chunk| chunk.0 == "ix00").unwrap();
        assert_eq!((idx1.2, word(&bytes, ix00.1 + 4)), (41 * 16, 41));
        for (number, (_, start, size)) in pictures.into_iter().enumerate() {
            assert_eq!(bytes[*start..*start + *size], shot(number));
            let old = idx1.1 + 16 * number;
            assert_eq!(
                (movi + word(&bytes, old + 8) + 8, word(&bytes, old + 12)),
                (*start, *size)
            );
            let new = ix00.1 + 24 + 8 * number;
            assert_eq!((word(&bytes, new), word(&bytes, new + 4)), (*start, *size));
        }
        let avih = all.iter().find(|chunk| chunk.0 == "avih").unwrap().1;
        assert_eq!((word(&bytes, avih), word(&bytes, avih + 16)), (50_000, 41));
        let strh = all.iter().find(|chunk| chunk.0 == "strh").unwrap();
        assert_eq!((strh.2, word(&bytes, strh.1 + 32)), (56, 41));
    }

    #[test]
    fn a_long_film_gets_parts_that_the_index_of_indexes_names() {
        let bytes = film(60, 9000).finish().unwrap().into_inner();
        let all = chunks(&bytes);
        let parts = all.iter().filter(|chunk| chunk.0 == "AVIX").count();
        assert!(parts >= 2, "{parts}");
        let indx = all.iter().find(|chunk| chunk.0 == "indx").unwrap().1;
        assert_eq!(word(&bytes, indx + 4), parts + 1);
        let mut frames = 0;
        for part in 0..=parts {
            let entry = indx + 24 + 16 * part;
            let start = word(&bytes, entry);
            assert_eq!(&bytes[start..start + 4], b"ix00");
            let base = word(&bytes, start + 8 + 12);
            for number in 0..word(&bytes, start + 12) {
                let at = base + word(&bytes, start + 32 + 8 * number);
                let size = word(&bytes, start + 36 + 8 * number);
                assert_eq!(bytes[at..at + size], shot(frames), "{frames}");
                frames += 1;
            }
        }
        assert_eq!(frames, 60);
        let dmlh = all.iter().find(|chunk| chunk.0 == "dmlh").unwrap().1;
        assert_eq!(word(&bytes, dmlh), 60);
    }

    #[test]
    fn a_file_whose_writer_died_counts_all_but_the_last_second() {
        let avi = film(95, PART);
        let bytes = avi.file.clone().into_inner();
        let (movi, frames) = (at::MOVI_SIZE as usize, word(&bytes, at::DMLH as usize));
        assert!(frames >= 75, "{frames}");
        let mut found = Vec::new();
        let end = movi + 4 + word(&bytes, movi);
        walk(&bytes, at::FIRST as usize, end, &mut found);
        assert_eq!(found.len(), frames);
        assert_eq!(word(&bytes, 4) + 8, end);
    }
}
