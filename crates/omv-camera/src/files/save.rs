//! Saving one file, and mending what an interrupted save left behind.

use omv_fat::{Change, Fault, Phase, Recovery, Refusal, Sectors, store, walk};

use super::BlockSectors;
use crate::disk::{BlockError, Blocks};

/// Why a file was not saved. Unless it says otherwise, the old file is whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// It cannot be put there.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk gave back other data than was written to it.
    #[error("the disk returned other data than was written: {file}, byte {offset}")]
    Returned {
        /// The file, or what of the disk's own it was.
        file: String,
        /// The first byte that differs.
        offset: u64,
    },
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Disk(#[from] BlockError),
    /// The camera, which wrote it, had an error of its own.
    #[error("the camera's disk failed at {file}{}: {}", at(*offset), errno_name(*errno))]
    OnCamera {
        /// The file.
        file: String,
        /// The number that Python showed.
        errno: u32,
        /// The first byte that could not be read back.
        offset: Option<u64>,
    },
    /// The plan could not be noted down; nothing was written to the disk.
    #[error("the plan of the save could not be kept")]
    Notebook(#[from] std::io::Error),
}

impl SaveError {
    /// Stable name: in JSON and in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Returned { .. } => "disk-returned-other-data",
            Self::Disk(BlockError::Protected) => Fault::ReadOnly.code(),
            Self::Disk(_) => "disk-failed",
            Self::OnCamera { errno: 28, .. } => "camera-disk-full",
            Self::OnCamera { .. } => "camera-disk-failed",
            Self::Notebook(_) => "save-not-noted",
        }
    }

    /// One thing a person can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.help(),
            Self::Returned { .. } => {
                "Do not trust this card: copy its files, and test it in the camera and in a reader \
                 of the computer. The old file is still there."
            }
            Self::Disk(BlockError::Protected) => "Move the lock slider of the card.",
            Self::Disk(_) => {
                "Plug the camera in again and save once more; if it stays, test the card."
            }
            Self::OnCamera { errno: 28, .. } => {
                "Remove files from the disk; if a computer shows room on it, its free count is \
                 wrong: check and repair the disk."
            }
            Self::OnCamera { .. } => {
                "Do not trust this card: copy its files, and test it in the camera and in a reader \
                 of the computer. The old file is still there."
            }
            Self::Notebook(_) => {
                "Make room on this computer, or allow writing to the folder it names."
            }
        }
    }
}

fn at(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(", byte {offset}"))
}

/// Source: micropython py/mperrno.h.
fn errno_name(errno: u32) -> String {
    let name = match errno {
        2 => "ENOENT, no such file or folder",
        5 => "EIO, the card does not read or write",
        13 => "EACCES, not allowed",
        19 => "ENODEV, no such device",
        28 => "ENOSPC, no room",
        30 => "EROFS, write-protected",
        _ => return format!("error {errno}"),
    };
    name.to_owned()
}

/// Where the plan of a save is kept until the save is done.
pub trait Notebook {
    /// Keeps it. When this returns it must outlive a loss of power.
    ///
    /// # Errors
    /// What keeps it from being kept.
    fn keep(&mut self, change: &Change) -> std::io::Result<()>;

    /// What was kept and not forgotten.
    fn kept(&mut self) -> Kept;

    /// Forgets it.
    fn forget(&mut self);
}

/// A plan that was kept, if there is one.
pub type Kept = Option<Change>;

/// A notebook in memory, for tests and for disks that need none.
#[derive(Clone, Debug, Default)]
pub struct Memory(Kept);

impl Notebook for Memory {
    fn keep(&mut self, change: &Change) -> std::io::Result<()> {
        self.0 = Some(change.clone());
        Ok(())
    }

    fn kept(&mut self) -> Kept {
        self.0.clone()
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Bytes of it.
    pub size: u64,
    /// It was there already, and nothing was written.
    pub unchanged: bool,
}

/// Puts right what an interrupted save left, if one did. The first thing to do with any disk.
///
/// # Errors
/// [`SaveError::Disk`]; the note is kept, and it can be tried again.
pub fn mend(
    disk: &mut dyn Blocks,
    notebook: &mut dyn Notebook,
) -> Result<Option<Recovery>, SaveError> {
    let Some(change) = notebook.kept() else {
        return Ok(None);
    };
    let recovery = with(disk, |sectors| change.recover(sectors))?;
    notebook.forget();
    Ok(Some(recovery))
}

/// Saves a file and proves that it is there. `stamp` is FAT's moment, the date in the upper half.
///
/// # Errors
/// [`SaveError`]. In every case the old file or the new one is there, whole, once
/// [`mend`] was called.
pub fn save(
    disk: &mut dyn Blocks,
    notebook: &mut dyn Notebook,
    path: &str,
    content: &[u8],
    stamp: u32,
) -> Result<Saved, SaveError> {
    mend(disk, notebook)?;
    let size = content.len() as u64;
    if differs(disk, path, content)?.is_none() {
        return Ok(Saved {
            size,
            unchanged: true,
        });
    }
    let plan = store(&mut BlockSectors::new(disk), path, content, stamp);
    change(disk, notebook, path, &plan?)?;
    if let Some(offset) = differs(disk, path, content)? {
        return Err(SaveError::Returned {
            file: path.to_owned(),
            offset,
        });
    }
    Ok(Saved {
        size,
        unchanged: false,
    })
}

/// Does a planned change step by step, reads every step back, and takes it back when the disk
/// returns something else.
///
/// # Errors
/// [`SaveError`].
pub fn change(
    disk: &mut dyn Blocks,
    notebook: &mut dyn Notebook,
    path: &str,
    change: &Change,
) -> Result<(), SaveError> {
    notebook.keep(change)?;
    for phase in Phase::ALL {
        with(disk, |sectors| change.apply_phase(sectors, phase))?;
        if let Some(offset) = other_than_written(disk, change, phase)? {
            // What was written can be taken back only as far as the disk still takes writes.
            let _ = with(disk, |sectors| change.recover(sectors));
            notebook.forget();
            let file = match phase {
                Phase::Data => path.to_owned(),
                _ => format!("the directory entry of {path}"),
            };
            return Err(SaveError::Returned { file, offset });
        }
    }
    notebook.forget();
    Ok(())
}

/// Reads what a phase wrote, twice and in different orders, behind something else each time; the
/// first byte that is not what was written, counted from the first byte of the phase.
fn other_than_written(
    disk: &mut dyn Blocks,
    change: &Change,
    phase: Phase,
) -> Result<Option<u64>, SaveError> {
    let size = change.sector_size as usize;
    let writes: Vec<_> = change
        .writes
        .iter()
        .filter(|one| one.phase == phase)
        .collect();
    let numbered = || writes.iter().enumerate();
    let mut first: Option<u64> = None;
    let mut elsewhere = vec![0; size];
    for (number, write) in numbered().chain(numbered().rev()) {
        disk.read(0, &mut elsewhere)?;
        let mut now = vec![0; size];
        disk.read(write.sector, &mut now)?;
        let differs = now
            .iter()
            .zip(&write.after)
            .position(|(now, then)| now != then);
        if let Some(at) = differs {
            let at = (number * size + at) as u64;
            first = Some(first.map_or(at, |first| first.min(at)));
        }
    }
    Ok(first)
}

/// The first byte in which a file is not this content, looked at twice; the first of all where there is
/// no such file.
///
/// # Errors
/// [`SaveError`], if the disk cannot be read.
pub fn differs(
    disk: &mut dyn Blocks,
    path: &str,
    content: &[u8],
) -> Result<Option<u64>, SaveError> {
    for _ in 0..2 {
        let there = read(disk, path)?;
        if there.as_deref() != Some(content) {
            let there = there.unwrap_or_default();
            let same = there.iter().zip(content).take_while(|(a, b)| a == b);
            return Ok(Some(same.count() as u64));
        }
    }
    Ok(None)
}

/// Largest file that is read to be compared.
const LARGEST: u64 = 64 << 20;

/// A file's content; none if there is no such file, or if it is too large to be a script.
pub(super) fn read(disk: &mut dyn Blocks, path: &str) -> Result<Option<Vec<u8>>, SaveError> {
    let wanted: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut sectors = BlockSectors::new(disk);
    let Some(mut walk) = walk(&mut sectors, None) else {
        return Err(Refusal::NoVolume.into());
    };
    let is_it = |shown: &str| {
        let parts = shown.split('/').filter(|part| !part.is_empty());
        parts.map(str::to_lowercase).eq(wanted.iter().cloned())
    };
    let entry = walk.entries().iter().find(|entry| is_it(&entry.shown));
    let Some(entry) = entry
        .filter(|one| !one.directory && one.size <= LARGEST)
        .cloned()
    else {
        return Ok(None);
    };
    let mut content = Vec::new();
    let (_, lost) = walk.read(&entry, |piece| {
        content.extend_from_slice(piece);
        true
    });
    Ok(Some(content).filter(|content| lost == 0 && content.len() as u64 == entry.size))
}

/// Lends the disk to `omv-fat`, and says what the disk itself said when that fails.
fn with<R>(
    disk: &mut dyn Blocks,
    act: impl FnOnce(&mut dyn Sectors) -> Result<R, Fault>,
) -> Result<R, SaveError> {
    let mut sectors = BlockSectors::new(disk);
    act(&mut sectors).map_err(|fault| match sectors.last.take() {
        Some(error) => SaveError::Disk(error),
        None => SaveError::Refused(Refusal::Disk(fault)),
    })
}
