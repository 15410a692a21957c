//! The door to the blocks of a disk.

use std::time::Duration;

/// Why blocks were not read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The disk says that it cannot. Another block may still work.
    #[error("{0}")]
    Failed(String),
    /// The disk is write-protected.
    #[error("the disk is write-protected")]
    Protected,
    /// The disk, or the camera in front of it, has left. Nothing more will work.
    #[error("the disk has left")]
    Gone,
}

/// A disk as blocks: a card in a reader, a drive, an image, or what is behind a camera.
pub trait Blocks {
    /// Bytes of one block: 512 to 4096.
    fn block_size(&self) -> u32;

    /// How many it says it has.
    fn blocks(&self) -> u64;

    /// Reads whole blocks. What this machine remembers of them is not asked.
    ///
    /// # Errors
    /// [`BlockError`]; then the buffer means nothing.
    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), BlockError>;

    /// Writes whole blocks.
    ///
    /// # Errors
    /// [`BlockError`]; then any part of them may have been written.
    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), BlockError>;

    /// Brings everything to the medium and forgets it on the way there, as far as that can be
    /// done from here.
    ///
    /// # Errors
    /// [`BlockError`].
    fn settle(&mut self) -> Result<(), BlockError>;

    /// Lets the camera have the disk for itself, or takes it back. Where nobody else has it, nothing
    /// happens.
    ///
    /// # Errors
    /// [`BlockError`].
    fn let_go(&mut self, _go: bool) -> Result<(), BlockError> {
        Ok(())
    }

    /// Time, for how long a read or a write took.
    fn now(&self) -> Duration;
}
