//! A virtual camera kept in a file: flash, fuses and the ROM wire.
//!
//! ```text
//!   0     the flash, all memories of the board; sectors that were never written are holes and
//!         read as zeros
//!   end   text, 4096 bytes, filled up with newlines:
//!           omv-sim rt1062 state 1             or another board: omv-sim OPENMV4 state 1
//!           jumper off
//!           fuse 06 00000010                   words that are not zero, both numbers in hex
//!           uid 001f...                        of other boards: the chip's unique id
//!           revision y                         and its revision, if it is not the usual one
//!           sectors 0100 ff0f...               which of 256 sectors are in the file, from this
//! ```
//!
//! In a `sectors` line each byte stands for eight sectors, lowest bit first; a sector that is
//! not in the file is blank, whatever the file holds at its place. The text is written after the
//! sectors it speaks of, so a process that is killed leaves a camera whose power failed, and
//! never a file that cannot be read.

mod text;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dfu::chip::{self as boards, Revision};
use crate::dfu::{self, DfuCamera};
use crate::nor::{Nor, SECTOR, Speed};
use crate::rt1062::chip::{Chip, Parts};
use crate::rt1062::{Remains, Rt1062};
use crate::{Camera, Setup};
use text::{Kind, Text, parse, text};

/// Name of the RT1062 in the first line of the text.
const RT1062: &str = "rt1062";
/// Bytes of the text.
const TEXT_SIZE: usize = 4096;

/// What of a camera is kept, shared with the camera.
pub trait Store: Send {
    /// Its name in the first line of the text.
    fn name(&self) -> &'static str;

    /// Does something with the flash.
    fn flash(&self, act: &mut dyn FnMut(&mut Nor));

    /// The lines of the text that are about this camera alone.
    fn lines(&self) -> String;
}

impl Store for Chip {
    fn name(&self) -> &'static str {
        RT1062
    }

    fn flash(&self, act: &mut dyn FnMut(&mut Nor)) {
        act(&mut self.lock().nor);
    }

    fn lines(&self) -> String {
        let fuses = self.lock().fuses;
        let set = fuses.iter().enumerate().filter(|(_, word)| **word != 0);
        set.map(|(index, word)| format!("fuse {index:02x} {word:08x}\n"))
            .collect()
    }
}

impl Store for boards::Chip {
    fn name(&self) -> &'static str {
        &self.lock().board.name
    }

    fn flash(&self, act: &mut dyn FnMut(&mut Nor)) {
        act(&mut self.lock().nor);
    }

    fn lines(&self) -> String {
        let parts = self.lock();
        let uid: String = parts.uid.iter().map(|byte| format!("{byte:02x}")).collect();
        let revision = match parts.revision {
            Revision::V => "",
            Revision::Y => "revision y\n",
        };
        format!("uid {uid}\n{revision}")
    }
}

/// A camera that can be kept in a file.
pub trait Kept: Camera {
    /// What of it is kept.
    fn store(&self) -> Box<dyn Store>;

    /// Name of the board, as the board files have it.
    fn board(&self) -> &'static str;

    /// What its firmware finds from its next start on: card, scene, interpreter.
    fn set_up(&mut self, setup: Setup);
}

impl Kept for Rt1062 {
    fn store(&self) -> Box<dyn Store> {
        Box::new(self.chip().clone())
    }

    fn board(&self) -> &'static str {
        "OPENMV_RT1060"
    }

    fn set_up(&mut self, setup: Setup) {
        Rt1062::set_up(self, setup);
    }
}

impl Kept for DfuCamera {
    fn store(&self) -> Box<dyn Store> {
        Box::new(self.chip().clone())
    }

    fn board(&self) -> &'static str {
        &DfuCamera::board(self).name
    }

    fn set_up(&mut self, setup: Setup) {
        DfuCamera::set_up(self, setup);
    }
}

impl<S: Store + Clone + 'static> From<&S> for Box<dyn Store> {
    fn from(store: &S) -> Self {
        Box::new(store.clone())
    }
}

impl<T: Kept + ?Sized> Kept for Box<T> {
    fn store(&self) -> Box<dyn Store> {
        (**self).store()
    }

    fn board(&self) -> &'static str {
        (**self).board()
    }

    fn set_up(&mut self, setup: Setup) {
        (**self).set_up(setup);
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

/// What was in a file.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// An RT1062.
    Rt1062(Box<Remains>),
    /// Another board.
    Dfu(Box<dfu::Remains>),
}

/// Reads an RT1062 from a file.
///
/// # Errors
/// [`StateError`]; a file of another size, with another text or of another camera is
/// [`StateError::Foreign`].
pub fn load(path: &Path) -> Result<Remains, StateError> {
    match load_any(path)? {
        Loaded::Rt1062(remains) => Ok(*remains),
        Loaded::Dfu(remains) => Err(StateError::Foreign {
            path: path.to_owned(),
            why: format!("it is of the {}", remains.parts.board.title),
        }),
    }
}

/// Reads a camera of any board from a file.
///
/// # Errors
/// As [`load`].
pub fn load_any(path: &Path) -> Result<Loaded, StateError> {
    let (mut file, text) = open(path)?;
    let mut nor = Nor::blank(text.kind.size(), Speed::default());
    let mut cells = vec![0; SECTOR];
    for sector in (0..text.kind.sectors()).filter(|sector| text.kept[*sector]) {
        file.seek(SeekFrom::Start((sector * SECTOR) as u64))
            .and_then(|_| file.read_exact(&mut cells))
            .map_err(|source| failed("reading", path, source))?;
        nor.place(sector * SECTOR, &cells);
    }
    nor.take_dirty();
    let jumper = text.jumper;
    Ok(match text.kind {
        Kind::Rt1062 => Loaded::Rt1062(Box::new(Remains {
            parts: Parts {
                nor,
                fuses: text.fuses,
                now: Duration::ZERO,
                lost_power: false,
                misused: None,
            },
            jumper,
        })),
        Kind::Board(board) => {
            let blank = boards::Parts::blank(board, text.uid, text.revision);
            let parts = boards::Parts { nor, ..blank };
            Loaded::Dfu(Box::new(dfu::Remains { parts, jumper }))
        }
    })
}

/// Keeps a camera in a file, sector by sector as it changes.
pub struct Keeper {
    path: PathBuf,
    file: File,
    store: Box<dyn Store>,
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
    pub fn keep(
        path: &Path,
        store: impl Into<Box<dyn Store>>,
        jumper: bool,
    ) -> Result<Self, StateError> {
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
        let made = Self::write_all(&fresh, path, store.into(), jumper).and_then(|keeper| {
            // The new file is locked before anybody can find it under this name.
            fs::rename(&fresh, path).map_err(|source| failed("replacing", path, source))?;
            Ok(keeper)
        });
        if made.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        made
    }

    fn write_all(
        fresh: &Path,
        path: &Path,
        store: Box<dyn Store>,
        jumper: bool,
    ) -> Result<Self, StateError> {
        let creating = |source| failed("creating", fresh, source);
        let _ = fs::remove_file(fresh);
        let mut options = OpenOptions::new();
        private(options.read(true).write(true).create_new(true));
        let file = options.open(fresh).map_err(creating)?;
        let mut unsaved = BTreeMap::new();
        let mut size = 0;
        store.flash(&mut |nor| {
            nor.take_dirty();
            size = nor.size();
            let all = (0..size / SECTOR).map(|n| (n, nor.read(n * SECTOR, SECTOR)));
            unsaved = all.filter(|(_, cells)| !is_blank(cells)).collect();
        });
        file.set_len(size as u64).map_err(creating)?;
        lock(&file, path)?;
        let mut keeper = Self {
            path: path.to_owned(),
            file,
            store,
            kept: vec![false; size / SECTOR],
            text: Vec::new(),
            unsaved,
        };
        keeper.save(jumper)?;
        Ok(keeper)
    }

    /// Writes what changed since the last time.
    ///
    /// # Errors
    /// [`StateError::Io`]; what could not be written is tried again the next time.
    pub fn save(&mut self, jumper: bool) -> Result<(), StateError> {
        let unsaved = &mut self.unsaved;
        self.store
            .flash(&mut |nor| unsaved.extend(nor.take_dirty()));
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
        let text = text(self.store.name(), &self.store.lines(), jumper, &self.kept);
        if text != self.text {
            self.write_at(self.kept.len() * SECTOR, &text)?;
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
    let Some(flash) = found.len().checked_sub(TEXT_SIZE as u64) else {
        return Err(foreign("it is too short"));
    };
    let mut file = File::open(path).map_err(reading)?;
    let mut bytes = vec![0; TEXT_SIZE];
    file.seek(SeekFrom::Start(flash))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(reading)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| foreign("its text is damaged"))?;
    let text = parse(text).map_err(|why| foreign(&why))?;
    let whole = text.kind.size() + TEXT_SIZE;
    if found.len() != whole as u64 {
        let why = format!("it has {} bytes and should have {whole}", found.len());
        return Err(foreign(&why));
    }
    Ok((file, text))
}
