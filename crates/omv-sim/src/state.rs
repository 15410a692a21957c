//! A virtual camera kept in a file: flash, fuses and the ROM wire.
//!
//! ```text
//!   0          the flash, 16 MiB; sectors that were never written are holes and read as zeros
//!   0x1000000  text, 4096 bytes, filled up with newlines:
//!                omv-sim rt1062 state 1
//!                jumper off
//!                fuse 06 00000010              words that are not zero, both numbers in hex
//!                sectors 0100 ff0f...          which of 256 sectors are in the file, from this
//! ```
//!
//! In a `sectors` line each byte stands for eight sectors, lowest bit first; a sector that is
//! not in the file is blank, whatever the file holds at its place. The text is written after the
//! sectors it speaks of, so a process that is killed leaves a camera whose power failed, and
//! never a file that cannot be read.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Camera;
use crate::nor::{Nor, SECTOR, Speed};
use crate::rt1062::chip::{Chip, FLASH_SIZE, FUSE_WORDS, Parts};
use crate::rt1062::{Remains, Rt1062};

/// First line of the text; another version has another number.
const HEAD: &str = "omv-sim rt1062 state 1";
/// Bytes of the text.
const TEXT_SIZE: usize = 4096;
/// Sectors of the flash.
const SECTORS: usize = FLASH_SIZE as usize / SECTOR;
/// Sectors that one line of the text speaks of.
const LINE_SECTORS: usize = 256;

/// A camera whose flash and fuses can be kept in a file.
pub trait Kept: Camera {
    /// Flash and fuses, shared with the camera.
    fn chip(&self) -> &Chip;

    /// Name of the board, as the board files have it.
    fn board(&self) -> &'static str;
}

impl Kept for Rt1062 {
    fn chip(&self) -> &Chip {
        self.chip()
    }

    fn board(&self) -> &'static str {
        "OPENMV_RT1060"
    }
}

/// Why a camera could not be read from, or kept in, a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// The file holds something else; it was not touched.
    #[error("{} is not the state of a virtual camera: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What gave it away.
        why: String,
    },
    /// Another process keeps its camera there.
    #[error("{} is in use by another virtual camera", .0.display())]
    InUse(PathBuf),
    /// The operating system said no.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done: `reading`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
}

/// Reads a camera from a file.
///
/// # Errors
/// [`StateError`]; a file of another size or with another text is [`StateError::Foreign`].
pub fn load(path: &Path) -> Result<Remains, StateError> {
    let (mut file, text) = open(path)?;
    let mut nor = Nor::blank(FLASH_SIZE as usize, Speed::default());
    let mut cells = vec![0; SECTOR];
    for sector in (0..SECTORS).filter(|sector| text.kept[*sector]) {
        file.seek(SeekFrom::Start((sector * SECTOR) as u64))
            .and_then(|_| file.read_exact(&mut cells))
            .map_err(|source| failed("reading", path, source))?;
        nor.place(sector * SECTOR, &cells);
    }
    nor.take_dirty();
    Ok(Remains {
        parts: Parts {
            nor,
            fuses: text.fuses,
            now: Duration::ZERO,
            lost_power: false,
            misused: None,
        },
        jumper: text.jumper,
    })
}

/// Keeps a camera in a file, sector by sector as it changes.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    file: File,
    chip: Chip,
    kept: Vec<bool>,
    /// The text in the file.
    text: Vec<u8>,
    /// Changed sectors that could not be written yet.
    unsaved: BTreeMap<usize, Vec<u8>>,
}

impl Keeper {
    /// Writes the whole camera to `path`, which is replaced in one step, and stays its keeper.
    ///
    /// # Errors
    /// [`StateError`]. A file that is not a camera's state is refused and stays as it is; so is
    /// one that another process keeps a camera in.
    pub fn keep(path: &Path, chip: &Chip, jumper: bool) -> Result<Self, StateError> {
        let before = match open(path) {
            Err(StateError::Missing(_)) => None,
            other => Some(other?.0),
        };
        if let Some(file) = &before {
            lock(file, path)?;
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let fresh = format!(".{name}.{}", std::process::id());
        let fresh = folder.unwrap_or(Path::new(".")).join(fresh);
        let made = Self::write_all(&fresh, path, chip, jumper).and_then(|keeper| {
            // The new file is locked before anybody can find it under this name.
            fs::rename(&fresh, path).map_err(|source| failed("replacing", path, source))?;
            Ok(keeper)
        });
        if made.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        made
    }

    fn write_all(fresh: &Path, path: &Path, chip: &Chip, jumper: bool) -> Result<Self, StateError> {
        let creating = |source| failed("creating", fresh, source);
        let _ = fs::remove_file(fresh);
        let mut options = OpenOptions::new();
        private(options.read(true).write(true).create_new(true));
        let file = options.open(fresh).map_err(creating)?;
        file.set_len(u64::from(FLASH_SIZE)).map_err(creating)?;
        lock(&file, path)?;
        let mut keeper = Self {
            path: path.to_owned(),
            file,
            chip: chip.clone(),
            kept: vec![false; SECTORS],
            text: Vec::new(),
            unsaved: BTreeMap::new(),
        };
        {
            let mut parts = chip.lock();
            parts.nor.take_dirty();
            let all = (0..SECTORS).map(|n| (n, parts.nor.read(n * SECTOR, SECTOR)));
            keeper.unsaved = all.filter(|(_, cells)| !is_blank(cells)).collect();
        }
        keeper.save(jumper)?;
        Ok(keeper)
    }

    /// Writes what changed since the last time.
    ///
    /// # Errors
    /// [`StateError::Io`]; what could not be written is tried again the next time.
    pub fn save(&mut self, jumper: bool) -> Result<(), StateError> {
        let fuses = {
            let mut parts = self.chip.lock();
            self.unsaved.extend(parts.nor.take_dirty());
            parts.fuses
        };
        while let Some((sector, cells)) = self.unsaved.pop_first() {
            // A blank sector at the place of a hole stays a hole.
            if !self.kept[sector] && is_blank(&cells) {
                continue;
            }
            if let Err(error) = self.write_at(sector * SECTOR, &cells) {
                self.unsaved.insert(sector, cells);
                return Err(error);
            }
            self.kept[sector] = true;
        }
        let text = text(&fuses, jumper, &self.kept);
        if text != self.text {
            self.write_at(FLASH_SIZE as usize, &text)?;
            self.text = text;
        }
        Ok(())
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> Result<(), StateError> {
        self.file
            .seek(SeekFrom::Start(offset as u64))
            .and_then(|_| self.file.write_all(bytes))
            .map_err(|source| failed("writing", &self.path, source))
    }
}

fn is_blank(cells: &[u8]) -> bool {
    cells.iter().all(|byte| *byte == 0xFF)
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn lock(file: &File, path: &Path) -> Result<(), StateError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed("locking", path, source)),
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;

    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut OpenOptions) {}

/// The text of a state file, read.
struct Text {
    fuses: [u32; FUSE_WORDS],
    jumper: bool,
    kept: Vec<bool>,
}

/// Opens a state file and reads its text.
fn open(path: &Path) -> Result<(File, Text), StateError> {
    let reading = |source| failed("reading", path, source);
    let foreign = |why: &str| StateError::Foreign {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StateError::Missing(path.to_owned()));
        }
        other => other.map_err(reading)?,
    };
    // Opening a pipe would wait for somebody to write to it.
    if !found.is_file() {
        return Err(foreign("it is not a file"));
    }
    let whole = u64::from(FLASH_SIZE) + TEXT_SIZE as u64;
    if found.len() != whole {
        let why = format!("it has {} bytes and should have {whole}", found.len());
        return Err(foreign(&why));
    }
    let mut file = File::open(path).map_err(reading)?;
    let mut bytes = vec![0; TEXT_SIZE];
    file.seek(SeekFrom::Start(FLASH_SIZE.into()))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(reading)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| foreign("its text is damaged"))?;
    Ok((file, parse(text).map_err(|why| foreign(&why))?))
}

fn parse(text: &str) -> Result<Text, String> {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    if lines.next() != Some(HEAD) {
        return Err("its text does not begin as it should".into());
    }
    let mut fuses = [0; FUSE_WORDS];
    let mut kept = vec![false; SECTORS];
    let mut jumper = None;
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let understood = match words.as_slice() {
            ["jumper", "on"] => jumper.replace(true).is_none(),
            ["jumper", "off"] => jumper.replace(false).is_none(),
            ["fuse", index, word] => set_fuse(&mut fuses, index, word).is_some(),
            ["sectors", first, bits] => set_kept(&mut kept, first, bits).is_some(),
            _ => false,
        };
        if !understood {
            return Err(format!("its text has the line {line:?}"));
        }
    }
    let jumper = jumper.ok_or("its text is cut off")?;
    Ok(Text {
        fuses,
        jumper,
        kept,
    })
}

fn set_fuse(fuses: &mut [u32; FUSE_WORDS], index: &str, word: &str) -> Option<()> {
    let index = usize::from_str_radix(index, 16).ok()?;
    *fuses.get_mut(index)? = u32::from_str_radix(word, 16).ok()?;
    Some(())
}

fn set_kept(kept: &mut [bool], first: &str, bits: &str) -> Option<()> {
    let first = usize::from_str_radix(first, 16).ok()?;
    let line = kept.get_mut(first..first.checked_add(LINE_SECTORS)?)?;
    if bits.len() != LINE_SECTORS / 4 || !bits.is_ascii() {
        return None;
    }
    for (at, eight) in line.chunks_mut(8).enumerate() {
        let byte = u8::from_str_radix(&bits[2 * at..2 * at + 2], 16).ok()?;
        for (bit, kept) in eight.iter_mut().enumerate() {
            *kept = byte >> bit & 1 != 0;
        }
    }
    Some(())
}

fn text(fuses: &[u32; FUSE_WORDS], jumper: bool, kept: &[bool]) -> Vec<u8> {
    let mut text = format!("{HEAD}\njumper {}\n", if jumper { "on" } else { "off" });
    for (index, word) in fuses.iter().enumerate().filter(|(_, word)| **word != 0) {
        text += &format!("fuse {index:02x} {word:08x}\n");
    }
    for (number, line) in kept.chunks(LINE_SECTORS).enumerate() {
        if line.contains(&true) {
            text += &format!("sectors {:04x} ", number * LINE_SECTORS);
            for eight in line.chunks(8) {
                let bits = eight.iter().rev();
                let byte = bits.fold(0, |byte, kept| byte << 1 | u8::from(*kept));
                text += &format!("{byte:02x}");
            }
            text.push('\n');
        }
    }
    let mut bytes = text.into_bytes();
    bytes.resize(TEXT_SIZE, b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_fits_and_comes_back() {
        let mut kept = vec![true; SECTORS];
        kept[9] = false;
        let bytes = text(&[u32::MAX; FUSE_WORDS], true, &kept);
        assert_eq!(bytes.len(), TEXT_SIZE);
        assert_eq!(bytes.last(), Some(&b'\n'), "nothing was cut off");
        let read = parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
        assert_eq!(read.fuses, [u32::MAX; FUSE_WORDS]);
        assert!(read.jumper && read.kept == kept);
    }

    #[test]
    fn text_that_is_not_ours_is_refused() {
        let good = format!("{HEAD}\njumper off\n");
        assert!(parse(&good).is_ok());
        for line in [
            "fuse 40 1",
            "fuse 0 zz",
            "sectors 1000 00",
            "sectors ffffffffffffffff 00",
            "jumper on",
            "colour red",
        ] {
            assert!(parse(&format!("{good}{line}\n")).is_err(), "{line}");
        }
        assert!(parse(HEAD).is_err());
        assert!(parse("").is_err());
    }
}
