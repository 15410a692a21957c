//! Directories as records: what the 32-byte entries say, before anybody judges it.

mod exfat;
mod fat;
mod tree;

use crate::bytes::u16_at;
use crate::disk::Disk;
use crate::{Edit, Volume};

pub(crate) use exfat::{Upcase, name_hash, set_checksum};
pub(crate) use tree::clusters_of;
pub use tree::{Entry, Walk, walk};

/// A file or a directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// As people read it.
    pub name: String,
    /// FAT: the short name.
    pub short: [u8; 11],
    /// The long name's units, without the end; empty where there is none.
    pub units: Vec<u16>,
    pub dir: bool,
    pub first: u32,
    pub size: u64,
    /// exFAT: how much of it was written.
    pub valid: u64,
    /// exFAT: whether it lies in one piece and has no chain.
    pub contiguous: bool,
    /// Where its entries are. FAT: long ones first, the short one last.
    pub slots: Vec<u64>,
    /// The bytes of those that a repair rewrites. FAT: the short entry. exFAT: all.
    pub raw: Vec<u8>,
    /// exFAT: whether the sum over the set and the name's hash are as they should be.
    pub sum_is_good: bool,
    pub hash_is_good: bool,
}

/// What a directory holds.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Node(Node),
    /// `.` or `..`.
    Dot {
        at: u64,
        up: bool,
        first: u32,
        dir: bool,
    },
    Label {
        at: u64,
        name: String,
    },
    /// Parts of a long name, or of a set, without the rest.
    Orphan {
        slots: Vec<u64>,
        set: bool,
    },
    Bitmap {
        at: u64,
        first: u32,
        size: u64,
        raw: Vec<u8>,
    },
    Upcase {
        at: u64,
        first: u32,
        size: u64,
        sum: u32,
    },
    /// An entry that is none.
    Unknown {
        at: u64,
    },
}

/// A directory being read, piece by piece.
pub(crate) struct Decoder<'a> {
    fat: fat::Parts,
    set: exfat::Set,
    exfat: bool,
    upcase: Option<&'a Upcase>,
    /// Whether the end was seen.
    pub ended: bool,
    /// Entries that are free, those behind the end included.
    pub free: u32,
}

impl<'a> Decoder<'a> {
    pub fn new(volume: &Volume, upcase: Option<&'a Upcase>) -> Self {
        Self {
            fat: fat::Parts::default(),
            set: exfat::Set::default(),
            exfat: volume.is_exfat(),
            upcase,
            ended: false,
            free: 0,
        }
    }

    /// Takes a piece of the directory, which begins at an address.
    pub fn feed(&mut self, at: u64, piece: &[u8], out: &mut Vec<Record>) {
        for (index, entry) in piece.chunks_exact(32).enumerate() {
            if self.ended {
                self.free += 1;
                continue;
            }
            let at = at + index as u64 * 32;
            if self.exfat {
                self.ended = self.set.feed(at, entry, self.upcase, out);
                self.free += u32::from(entry[0] & 0x80 == 0);
            } else {
                self.ended = self.fat.feed(at, entry, out);
                self.free += u32::from(matches!(entry[0], 0 | 0xE5));
            }
        }
    }

    /// The directory has no more pieces.
    pub fn finish(&mut self, out: &mut Vec<Record>) {
        self.fat.flush(out);
        self.set.flush(out);
    }
}

/// Reads a directory by the addresses and lengths of its pieces.
pub(crate) fn records(
    disk: &mut Disk<'_>,
    volume: &Volume,
    upcase: Option<&Upcase>,
    pieces: &[(u64, u64)],
) -> (Vec<Record>, u32) {
    let mut decoder = Decoder::new(volume, upcase);
    let mut out = Vec::new();
    let mut buffer = Vec::new();
    'pieces: for (at, length) in pieces {
        let mut done = 0;
        while done < *length {
            let piece = (length - done).min(64 << 10);
            buffer.resize(piece as usize, 0);
            disk.read(at + done, &mut buffer);
            decoder.feed(at + done, &buffer, &mut out);
            done += piece;
            if out.len() > RECORDS {
                break 'pieces;
            }
        }
    }
    decoder.finish(&mut out);
    (out, decoder.free)
}

/// Records of one directory that are looked at: twice what FAT allows.
const RECORDS: usize = 1 << 17;

impl Node {
    /// The edits that give it another begin, length or form. `None` keeps what is.
    pub fn changed(
        &self,
        volume: &Volume,
        first: Option<u32>,
        size: Option<u64>,
        contiguous: Option<bool>,
    ) -> Vec<Edit> {
        let first = first.unwrap_or(self.first);
        let size = size.unwrap_or(self.size);
        let mut raw = self.raw.clone();
        if !volume.is_exfat() {
            crate::bytes::put(&mut raw, 20, &((first >> 16) as u16).to_le_bytes());
            crate::bytes::put(&mut raw, 26, &(first as u16).to_le_bytes());
            crate::bytes::put(&mut raw, 28, &(size as u32).to_le_bytes());
            let at = self.slots.last().copied().unwrap_or(0);
            return vec![Edit::bytes(at + 20, raw.get(20..32).unwrap_or(&[]))];
        }
        // The set's second entry is the stream's.
        let flags = match contiguous.unwrap_or(self.contiguous) {
            _ if first == 0 => 1,
            true => 3,
            false => 1,
        };
        crate::bytes::put(&mut raw, 32 + 1, &[flags]);
        crate::bytes::put(&mut raw, 32 + 8, &self.valid.min(size).to_le_bytes());
        crate::bytes::put(&mut raw, 32 + 20, &first.to_le_bytes());
        crate::bytes::put(&mut raw, 32 + 24, &size.to_le_bytes());
        self.sealed(raw)
    }

    /// The edits that write a set's changed entries, its checksum set anew.
    pub fn sealed(&self, mut raw: Vec<u8>) -> Vec<Edit> {
        let sum = set_checksum(&raw);
        crate::bytes::put(&mut raw, 2, &sum.to_le_bytes());
        let both = raw.chunks(32).zip(self.raw.chunks(32)).zip(&self.slots);
        both.filter(|((new, old), _)| new != old)
            .map(|((new, _), at)| Edit::bytes(*at, new))
            .collect()
    }

    /// The edits that free its entries.
    pub fn freed(&self, volume: &Volume) -> Vec<Edit> {
        free(volume, &self.slots, &self.raw)
    }

    /// Its first name, as a key under which no other entry of the directory may be.
    pub fn key(&self) -> u128 {
        let mut bytes = [0; 16];
        bytes[..11].copy_from_slice(&self.short);
        u128::from_le_bytes(bytes)
    }

    pub fn attributes(&self) -> u16 {
        if self.raw.len() > 32 {
            u16_at(&self.raw, 4)
        } else {
            u16::from(crate::bytes::u8_at(&self.raw, 11))
        }
    }
}

/// The edits that free entries. FAT: the short one last, so that a file never loses its name
/// before it is gone. exFAT: the first one first, for without it the others are nothing.
pub(crate) fn free(volume: &Volume, slots: &[u64], raw: &[u8]) -> Vec<Edit> {
    let exfat = volume.is_exfat();
    let each = slots.iter().enumerate().map(|(at, slot)| {
        let kind = if exfat {
            crate::bytes::u8_at(raw, at * 32) & 0x7F
        } else {
            0xE5
        };
        Edit::bytes(*slot, [if exfat && kind == 0 { 0x41 } else { kind }])
    });
    each.collect()
}
