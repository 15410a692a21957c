//! ROMFS: the read-only file system that a camera mounts at `/rom`, as an image.
//!
//! ```text
//!   record   kind | length | payload            numbers: 7 bits a byte, high ones first, and any
//!                                                number of 80 before them changes nothing
//!   image    D2 CD 31 | length | records         kind 14A6B1
//!            1 padding   2 data   3 data elsewhere: size | offset in the records
//!            4 directory: name length | name | records
//!            5 file:      name length | name | records, of which the first 2 or 3 counts
//! ```
//!
//! The content of a file is used where it lies, so where it begins matters: a model must stand at a
//! multiple of 16 or 32. That is what the idle 80s are for.
//!
//! [`read`] takes the images of all writers that are known; [`write()`] makes three layouts. Names are
//! bytes from outside: whoever turns one into a path asks [`is_plain`] before.
//!
//! Sources: micropython `extmod/vfs_rom.c` (reader) and `tools/mpremote/mpremote/romfs.py` (writer);
//! openmv/openmv `tools/mkromfs.py`; openmv/qt-creator `tools/romfs.cpp`.

mod read;
mod write;

pub use read::{Content, Entry, Image, Node, read};
pub use write::{Item, Layout, write};

/// The first bytes of every image.
pub const HEADER: [u8; 3] = [0xD2, 0xCD, 0x31];
/// Directories inside each other; more than any path of a camera has.
pub const DEEPEST: usize = 64;
/// Files and directories of one image; each takes at least four bytes.
pub const MOST_ENTRIES: usize = 100_000;

pub(crate) mod kind {
    pub const PADDING: u32 = 1;
    pub const DATA: u32 = 2;
    pub const POINTER: u32 = 3;
    pub const DIRECTORY: u32 = 4;
    pub const FILE: u32 = 5;
}

/// What is wrong with an image, or with what should become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (at {at:#x})")]
pub struct Fault {
    /// Bytes from the start of the image.
    pub at: usize,
    /// What it is.
    pub what: &'static str,
}

/// Whether a name is one that a file on a computer may have without leaving its folder or meaning
/// something else: no separator of any system, no control character, not `.` or `..`.
#[must_use]
pub fn is_plain(name: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(name) else {
        return false;
    };
    let strange = |one: char| one.is_control() || matches!(one, '/' | '\\' | ':');
    !text.is_empty() && text != "." && text != ".." && !text.contains(strange)
}

/// How many bytes a number takes without padding.
pub(crate) fn number_length(value: usize) -> usize {
    let bits = usize::BITS - value.leading_zeros();
    (bits.div_ceil(7) as usize).max(1)
}

#[cfg(test)]
mod tests;
