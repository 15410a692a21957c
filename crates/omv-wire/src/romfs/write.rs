//! The writers: three layouts of the same records.

use super::{DEEPEST, Fault, HEADER, MOST_ENTRIES, kind, number_length};

/// Bytes the header of an image takes in the aligned layouts.
const HEADER_ROOM: usize = 16;
/// Bytes kind and length of a file or directory take there.
const ENTRY_ROOM: usize = 8;
/// What a flash is written in, at most, on any board (micropython `vfs.rom_ioctl(3)` tells it).
const WRITE_UNIT: usize = 16;

/// A file or directory to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A file.
    File {
        /// Its name.
        name: String,
        /// Its content.
        bytes: Vec<u8>,
        /// The content begins at a multiple of this, in layouts that align.
        alignment: usize,
    },
    /// A directory.
    Directory {
        /// Its name.
        name: String,
        /// What is in it, in this order.
        items: Vec<Item>,
    },
}

impl Item {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File { name, .. } | Self::Directory { name, .. } => name,
        }
    }
}

/// How an image is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As small as can be, nothing aligned: what `mpremote romfs build` writes.
    Compact,
    /// Contents aligned, no directories: what OpenMV's own builder writes.
    OpenMv,
    /// Contents aligned, with directories, of even length, filled up with FF to the unit a flash is
    /// written in. What this program writes unless told otherwise.
    Aligned,
}

/// Makes an image of files and directories, in the order they come in.
///
/// # Errors
/// For a name that no camera can open, or that stands twice in a directory; for one that the
/// writer of a layout could not write either (those take ASCII alone); for a directory in
/// [`Layout::OpenMv`]; for more depth, entries or bytes than a camera can read.
pub fn write(items: &[Item], layout: Layout) -> Result<Vec<u8>, Fault> {
    check(items, layout, 0, &mut 0)?;
    let image = match layout {
        Layout::Compact => compact(items),
        Layout::OpenMv => aligned(items, false),
        Layout::Aligned => {
            let mut image = aligned(items, true);
            image.resize(image.len().next_multiple_of(WRITE_UNIT), 0xFF);
            image
        }
    };
    if image.len() > u32::MAX as usize {
        return Err(fault("all files together are too large"));
    }
    Ok(image)
}

fn fault(what: &'static str) -> Fault {
    Fault { at: 0, what }
}

fn check(items: &[Item], layout: Layout, depth: usize, count: &mut usize) -> Result<(), Fault> {
    if depth > DEEPEST {
        return Err(fault("directories are nested too deeply"));
    }
    let mut names: Vec<&str> = items.iter().map(Item::name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(fault("a name stands twice in one directory"));
    }
    for item in items {
        *count += 1;
        let name = item.name();
        if *count > MOST_ENTRIES {
            return Err(fault("there are more files than this program writes"));
        }
        if name.is_empty() || name.len() > 32_767 || name.contains(['/', '\0']) {
            return Err(fault("a name that a camera cannot open"));
        }
        if layout != Layout::Aligned && !name.is_ascii() {
            return Err(fault(
                "a name that is not ASCII, which this layout's own writer refuses",
            ));
        }
        match item {
            Item::Directory { .. } if layout == Layout::OpenMv => {
                return Err(fault("a directory, which this layout has not"));
            }
            Item::Directory { items, .. } => check(items, layout, depth + 1, count)?,
            Item::File { alignment: 0, .. } => return Err(fault("an alignment of 0")),
            Item::File { .. } => {}
        }
    }
    Ok(())
}

/// A number, filled up to `room` bytes with ones that say nothing.
fn number(out: &mut Vec<u8>, value: usize, room: usize) {
    let length = number_length(value);
    for _ in length..room {
        out.push(0x80);
    }
    for at in (0..length).rev() {
        let more = if at > 0 { 0x80 } else { 0 };
        out.push((value >> (7 * at) & 0x7F) as u8 | more);
    }
}

// --- compact ---

fn compact(items: &[Item]) -> Vec<u8> {
    let length = items.iter().map(compact_length).sum();
    let header = HEADER.len() + number_length(length);
    let mut out = Vec::with_capacity(header + length + 1);
    out.extend_from_slice(&HEADER);
    // The specification wants an even length of the whole.
    number(
        &mut out,
        length,
        number_length(length) + (header + length) % 2,
    );
    for item in items {
        compact_item(&mut out, item);
    }
    out
}

fn record_length(payload: usize) -> usize {
    1 + number_length(payload) + payload
}

fn compact_payload(item: &Item) -> usize {
    let name = item.name().len();
    number_length(name)
        + name
        + match item {
            Item::File { bytes, .. } => record_length(bytes.len()),
            Item::Directory { items, .. } => items.iter().map(compact_length).sum(),
        }
}

fn compact_length(item: &Item) -> usize {
    record_length(compact_payload(item))
}

fn compact_item(out: &mut Vec<u8>, item: &Item) {
    let (kind, name) = match item {
        Item::File { name, .. } => (kind::FILE, name),
        Item::Directory { name, .. } => (kind::DIRECTORY, name),
    };
    out.push(kind as u8);
    number(out, compact_payload(item), 0);
    number(out, name.len(), 0);
    out.extend_from_slice(name.as_bytes());
    match item {
        Item::File { bytes, .. } => {
            out.push(kind::DATA as u8);
            number(out, bytes.len(), 0);
            out.extend_from_slice(bytes);
        }
        Item::Directory { items, .. } => {
            for item in items {
                compact_item(out, item);
            }
        }
    }
}

// --- aligned ---

fn aligned(items: &[Item], even: bool) -> Vec<u8> {
    let room = items.iter().map(compact_length).sum::<usize>();
    let mut out = Vec::with_capacity(HEADER_ROOM + room + room / 8);
    out.extend_from_slice(&HEADER);
    out.resize(HEADER_ROOM, 0);
    for item in items {
        aligned_item(&mut out, item);
    }
    if even && out.len() % 2 == 1 {
        // A record that says nothing, three bytes long.
        out.extend_from_slice(&[kind::PADDING as u8, 0x80, 0]);
    }
    fill_in(&mut out, HEADER.len(), HEADER_ROOM);
    out
}

/// Writes the length of everything behind `end` to the bytes from `begin` to `end`.
fn fill_in(out: &mut [u8], begin: usize, end: usize) {
    let mut length = Vec::with_capacity(HEADER_ROOM);
    number(&mut length, out.len() - end, end - begin);
    if let Some(place) = out.get_mut(begin..end) {
        place.copy_from_slice(&length);
    }
}

fn aligned_item(out: &mut Vec<u8>, item: &Item) {
    let begin = out.len();
    let kind = match item {
        Item::File { .. } => kind::FILE,
        Item::Directory { .. } => kind::DIRECTORY,
    };
    out.push(kind as u8);
    out.resize(begin + ENTRY_ROOM, 0);
    number(out, item.name().len(), 0);
    out.extend_from_slice(item.name().as_bytes());
    match item {
        Item::File {
            bytes, alignment, ..
        } => {
            out.push(kind::DATA as u8);
            let length = number_length(bytes.len());
            let end = (out.len() + length).next_multiple_of(*alignment);
            let room = end - out.len();
            number(out, bytes.len(), room);
            out.extend_from_slice(bytes);
        }
        Item::Directory { items, .. } => {
            for item in items {
                aligned_item(out, item);
            }
        }
    }
    fill_in(out, begin + 1, begin + ENTRY_ROOM);
}
