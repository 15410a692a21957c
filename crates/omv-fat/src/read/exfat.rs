//! exFAT's entries: sets of 3 to 19, the first of which has the checksum over all.
//!
//! ```text
//!   85 file:   1 how many follow | 2 checksum | 4 attributes | 8 times
//!   C0 stream: 1 flags (2: no chain) | 3 letters | 4 hash | 8 valid | 20 cluster | 24 length
//!   C1 name:   2 fifteen letters        81 bitmap, 82 upper-case table: 20 cluster | 24 length
//! ```
//! Source: Microsoft, exFAT specification 1.00, section 7.

use super::{Node, Record};
use crate::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::disk::Disk;
use crate::{Volume, name};

const FILE: u8 = 0x85;
const STREAM: u8 = 0xC0;
const NAME: u8 = 0xC1;
const BITMAP: u8 = 0x81;
const UPCASE: u8 = 0x82;
const LABEL: u8 = 0x83;
const IN_USE: u8 = 0x80;
const SECONDARY: u8 = 0x40;
const BENIGN: u8 = 0x20;
const DIRECTORY: u16 = 0x10;

/// The sum over a set of entries, its own place left out.
pub(crate) fn set_checksum(set: &[u8]) -> u16 {
    let counted = set
        .iter()
        .enumerate()
        .filter(|(at, _)| !matches!(at, 2 | 3));
    counted.fold(0_u16, |sum, (_, byte)| {
        sum.rotate_right(1).wrapping_add(u16::from(*byte))
    })
}

/// The hash of a name in upper case.
pub(crate) fn name_hash(units: &[u16], upcase: &Upcase) -> u16 {
    let bytes = units
        .iter()
        .flat_map(|unit| upcase.upper(*unit).to_le_bytes());
    bytes.fold(0_u16, |sum, byte| {
        sum.rotate_right(1).wrapping_add(u16::from(byte))
    })
}

/// The volume's table of upper-case letters.
pub(crate) struct Upcase(Vec<u16>);

impl Upcase {
    /// Reads the table, which is at most 128 KiB long, and its checksum.
    pub fn read(
        disk: &mut Disk<'_>,
        volume: &Volume,
        first: u32,
        size: u64,
    ) -> Option<(Self, u32)> {
        if size == 0 || size > 128 << 10 || !volume.has(first) {
            return None;
        }
        let clusters = super::clusters_of(disk, volume, first, Some(volume.need(size)), false);
        let mut bytes = Vec::new();
        for cluster in clusters {
            bytes.extend(disk.bytes(volume.at(cluster), volume.cluster as usize));
            if bytes.len() as u64 >= size {
                break;
            }
        }
        bytes.truncate(size as usize);
        if (bytes.len() as u64) < size {
            return None;
        }
        Self::parse(&bytes)
    }

    /// A table by its bytes, and their checksum.
    pub fn parse(bytes: &[u8]) -> Option<(Self, u32)> {
        let sum = bytes.iter().fold(0_u32, |sum, byte| {
            sum.rotate_right(1).wrapping_add(u32::from(*byte))
        });
        let mut table: Vec<u16> = Vec::with_capacity(1 << 16);
        let mut units = bytes.chunks_exact(2).map(|pair| u16_at(pair, 0));
        while let Some(unit) = units.next() {
            // FFFF and a number stand for so many letters that stay as they are.
            if unit == 0xFFFF {
                let count = usize::from(units.next().unwrap_or(0));
                let from = table.len();
                table.extend((from..(from + count).min(1 << 16)).map(|at| at as u16));
            } else if table.len() < 1 << 16 {
                table.push(unit);
            }
        }
        Some((Self(table), sum))
    }

    pub fn upper(&self, unit: u16) -> u16 {
        self.0.get(usize::from(unit)).copied().unwrap_or(unit)
    }
}

/// A set being read.
#[derive(Default)]
pub(super) struct Set {
    slots: Vec<u64>,
    raw: Vec<u8>,
    left: u8,
}

impl Set {
    /// Takes an entry; says whether it ends the directory.
    pub fn feed(
        &mut self,
        at: u64,
        entry: &[u8],
        upcase: Option<&Upcase>,
        out: &mut Vec<Record>,
    ) -> bool {
        let kind = u8_at(entry, 0);
        if self.left > 0 && kind & (IN_USE | SECONDARY) == IN_USE | SECONDARY {
            self.slots.push(at);
            self.raw.extend_from_slice(entry);
            self.left -= 1;
            if self.left == 0 {
                self.close(upcase, out);
            }
            return false;
        }
        self.flush(out);
        let (first, size) = (u32_at(entry, 20), u64_at(entry, 24));
        match kind {
            0 => return true,
            FILE => {
                let count = u8_at(entry, 1);
                (self.slots, self.raw) = (vec![at], entry.to_vec());
                if (2..=18).contains(&count) {
                    self.left = count;
                } else {
                    self.flush(out);
                }
            }
            BITMAP => out.push(Record::Bitmap {
                at,
                first,
                size,
                raw: entry.to_vec(),
            }),
            UPCASE => out.push(Record::Upcase {
                at,
                first,
                size,
                sum: u32_at(entry, 4),
            }),
            LABEL => {
                let count = usize::from(u8_at(entry, 1).min(11));
                let units: Vec<u16> = (0..count).map(|one| u16_at(entry, 2 + one * 2)).collect();
                out.push(Record::Label {
                    at,
                    name: name::long(&units),
                });
            }
            _ if kind & IN_USE == 0 || kind & (BENIGN | SECONDARY) == BENIGN => {}
            _ if kind & SECONDARY != 0 => out.push(Record::Orphan {
                slots: vec![at],
                set: true,
            }),
            _ => out.push(Record::Unknown { at }),
        }
        false
    }

    fn close(&mut self, upcase: Option<&Upcase>, out: &mut Vec<Record>) {
        let (slots, raw) = (
            std::mem::take(&mut self.slots),
            std::mem::take(&mut self.raw),
        );
        let length = usize::from(u8_at(&raw, 32 + 3));
        let names = raw
            .chunks_exact(32)
            .skip(2)
            .take_while(|entry| entry[0] == NAME);
        let units: Vec<u16> = names
            .flat_map(|entry| {
                (0..15)
                    .map(|at| u16_at(entry, 2 + at * 2))
                    .collect::<Vec<_>>()
            })
            .take(length)
            .collect();
        if u8_at(&raw, 32) != STREAM || length == 0 || units.len() != length {
            out.push(Record::Orphan { slots, set: true });
            return;
        }
        let flags = u8_at(&raw, 32 + 1);
        let hash = upcase.map(|upcase| name_hash(&units, upcase));
        out.push(Record::Node(Node {
            name: name::long(&units),
            dir: u16_at(&raw, 4) & DIRECTORY != 0,
            first: u32_at(&raw, 32 + 20),
            size: u64_at(&raw, 32 + 24),
            valid: u64_at(&raw, 32 + 8),
            contiguous: flags & 2 != 0,
            sum_is_good: set_checksum(&raw) == u16_at(&raw, 2),
            hash_is_good: hash.is_none_or(|hash| hash == u16_at(&raw, 32 + 4)),
            units,
            slots,
            raw,
            ..Node::default()
        }));
    }

    /// What was seen is incomplete.
    pub fn flush(&mut self, out: &mut Vec<Record>) {
        self.left = 0;
        self.raw.clear();
        let slots = std::mem::take(&mut self.slots);
        if !slots.is_empty() {
            out.push(Record::Orphan { slots, set: true });
        }
    }
}
