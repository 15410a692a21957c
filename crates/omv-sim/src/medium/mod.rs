//! Block devices of a virtual camera: its internal disk and its card.
//!
//! ```text
//!   script (through FAT) --+
//!   USB mass storage ------+--> Shared --> Medium: flash of the chip | memory | image file | faulty
//!   tests, `omv sim --sd` -+
//! ```
//!
//! All who hold a [`Shared`] see the same blocks, as on a real camera, where nobody arbitrates
//! between the computer and the script.

mod behind;
mod faulty;
mod flash;
mod format;
mod trouble;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use behind::Behind;
pub use faulty::{Faulty, Trouble};
pub use flash::{FlashDisk, rom};
pub use format::{Stamp, format_internal};
pub use trouble::NoTrouble;

/// Bytes of a block of any card.
pub const CARD_BLOCK: usize = 512;

/// Why blocks were not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediumError {
    /// The medium has no such block, or the bytes are no whole blocks.
    #[error("there is no block {0}")]
    Outside(u64),
    /// The block cannot be read.
    #[error("block {0} cannot be read")]
    Unreadable(u64),
    /// The block cannot be written.
    #[error("block {0} cannot be written")]
    Unwritable(u64),
    /// The file behind the medium failed.
    #[error("the medium's file failed: {0:?}")]
    File(io::ErrorKind),
}

impl From<MediumError> for io::Error {
    fn from(error: MediumError) -> Self {
        Self::other(error)
    }
}

/// Something that keeps blocks.
pub trait Medium: Send {
    /// Bytes of a block.
    fn block_size(&self) -> usize;

    /// How many there are.
    fn blocks(&self) -> u64;

    /// Reads whole blocks, as many as `into` has room for.
    ///
    /// # Errors
    /// [`MediumError`]; what `into` then holds means nothing.
    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError>;

    /// Writes whole blocks.
    ///
    /// # Errors
    /// [`MediumError`]; some of the blocks may have been written.
    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError>;

    /// Makes what was written outlive a loss of power.
    ///
    /// # Errors
    /// [`MediumError`].
    fn sync(&mut self) -> Result<(), MediumError> {
        Ok(())
    }

    /// Whether it refuses writes.
    fn is_protected(&self) -> bool {
        false
    }

    /// For how long it may hold back what was written, if it does at all. [`sync`](Self::sync)
    /// ends that.
    fn holds_back(&self) -> Option<Duration> {
        None
    }

    /// How much longer than a good one it was busy since this was last asked.
    fn busy(&mut self) -> Duration {
        Duration::ZERO
    }
}

/// Whether `bytes` are whole blocks that a medium of `blocks` has from `block` on.
///
/// # Errors
/// [`MediumError::Outside`] if not.
pub fn check(medium: &dyn Medium, block: u64, bytes: usize) -> Result<(), MediumError> {
    let size = medium.block_size();
    let count = (bytes / size) as u64;
    let inside = block
        .checked_add(count)
        .is_some_and(|end| end <= medium.blocks());
    if inside && bytes.is_multiple_of(size) {
        Ok(())
    } else {
        Err(MediumError::Outside(block))
    }
}

/// A medium in the hands of several: the script, the computer, a test.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Box<dyn Medium>>>);

impl Shared {
    /// Shares a medium.
    pub fn new(medium: impl Medium + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(medium))))
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Medium>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything on it, for whoever wants to look at it from outside.
    ///
    /// # Errors
    /// [`MediumError`].
    pub fn image(&self) -> Result<Vec<u8>, MediumError> {
        let mut medium = self.lock();
        let mut bytes = vec![0; medium.block_size() * medium.blocks() as usize];
        medium.read(0, &mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let medium = self.lock();
        write!(f, "Shared({} x {})", medium.blocks(), medium.block_size())
    }
}

impl Medium for Shared {
    fn block_size(&self) -> usize {
        self.lock().block_size()
    }

    fn blocks(&self) -> u64 {
        self.lock().blocks()
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        self.lock().read(block, into)
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        self.lock().write(block, bytes)
    }

    fn sync(&mut self) -> Result<(), MediumError> {
        self.lock().sync()
    }

    fn is_protected(&self) -> bool {
        self.lock().is_protected()
    }

    fn holds_back(&self) -> Option<Duration> {
        self.lock().holds_back()
    }

    fn busy(&mut self) -> Duration {
        self.lock().busy()
    }
}

/// A card in memory; what was never written takes no room.
#[derive(Clone, Debug)]
pub struct MemoryCard {
    chunks: Vec<Option<Box<[u8]>>>,
    blocks: u64,
}

/// Bytes of memory that are taken at once.
const CHUNK: usize = 1 << 16;

impl MemoryCard {
    /// A card of `blocks` blocks, all zero.
    pub fn blank(blocks: u64) -> Self {
        let chunks = (blocks as usize * CARD_BLOCK).div_ceil(CHUNK);
        Self {
            chunks: vec![None; chunks],
            blocks,
        }
    }

    /// A card with these bytes; what does not fill the last block is zero.
    pub fn of(bytes: &[u8]) -> Self {
        let blocks = bytes.len().div_ceil(CARD_BLOCK) as u64;
        let mut card = Self::blank(blocks);
        card.store(0, bytes);
        card
    }

    fn store(&mut self, mut at: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = (CHUNK - at % CHUNK).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            let chunk = self.chunks[at / CHUNK].get_or_insert_with(|| vec![0; CHUNK].into());
            chunk[at % CHUNK..][..room].copy_from_slice(now);
            (at, bytes) = (at + room, later);
        }
    }
}

impl Medium for MemoryCard {
    fn block_size(&self) -> usize {
        CARD_BLOCK
    }

    fn blocks(&self) -> u64 {
        self.blocks
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        check(self, block, into.len())?;
        let mut at = block as usize * CARD_BLOCK;
        let mut done = 0;
        while done < into.len() {
            let room = (CHUNK - at % CHUNK).min(into.len() - done);
            let target = &mut into[done..done + room];
            match &self.chunks[at / CHUNK] {
                Some(chunk) => target.copy_from_slice(&chunk[at % CHUNK..][..room]),
                None => target.fill(0),
            }
            (at, done) = (at + room, done + room);
        }
        Ok(())
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        check(self, block, bytes.len())?;
        self.store(block as usize * CARD_BLOCK, bytes);
        Ok(())
    }
}

/// A card that is an image file. The file's length decides how many blocks there are.
#[derive(Debug)]
pub struct FileCard {
    file: File,
    blocks: u64,
}

impl FileCard {
    /// Opens an image; it is written to.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let blocks = file.metadata()?.len() / CARD_BLOCK as u64;
        Ok(Self { file, blocks })
    }

    fn seek(&mut self, block: u64) -> Result<(), MediumError> {
        let at = SeekFrom::Start(block * CARD_BLOCK as u64);
        self.file.seek(at).map_err(failed)?;
        Ok(())
    }
}

fn failed(error: io::Error) -> MediumError {
    MediumError::File(error.kind())
}

impl Medium for FileCard {
    fn block_size(&self) -> usize {
        CARD_BLOCK
    }

    fn blocks(&self) -> u64 {
        self.blocks
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        check(self, block, into.len())?;
        self.seek(block)?;
        self.file.read_exact(into).map_err(failed)
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        check(self, block, bytes.len())?;
        self.seek(block)?;
        self.file.write_all(bytes).map_err(failed)
    }

    fn sync(&mut self) -> Result<(), MediumError> {
        self.file.sync_data().map_err(failed)
    }
}
