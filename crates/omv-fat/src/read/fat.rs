//! FAT's entries: a short one of 32 bytes, before it up to 20 with parts of the long name.
//!
//! ```text
//!   0 name, 8+3 | 11 attributes | 12 case | 20 cluster, upper half | 26 lower half | 28 size
//!   0 number, 40 in the last | 1, 14, 28: 5, 6 and 2 letters | 11 is 0F | 13 checksum
//! ```
//! Source: Microsoft, FAT specification 1.03, sections 6 and 7.

use super::{Node, Record};
use crate::bytes::{u8_at, u16_at, u32_at};
use crate::name;

const LABEL: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const LONG: u8 = 0x0F;
const DELETED: u8 = 0xE5;
/// Parts a long name has at most.
const PARTS: u8 = 20;

/// The parts of a long name that were seen so far.
#[derive(Default)]
pub(super) struct Parts {
    slots: Vec<u64>,
    /// From the last part to the first.
    parts: Vec<[u16; 13]>,
    sum: u8,
    /// The number of the part that must come next; 0 if all are there.
    next: u8,
}

impl Parts {
    /// Takes an entry; says whether it ends the directory.
    pub fn feed(&mut self, at: u64, entry: &[u8], out: &mut Vec<Record>) -> bool {
        let (begin, attributes) = (u8_at(entry, 0), u8_at(entry, 11));
        if begin == 0 || begin == DELETED {
            self.flush(out);
            return begin == 0;
        }
        if attributes & 0x3F == LONG {
            self.part(at, entry, out);
            return false;
        }
        let mut raw = [0; 11];
        raw.copy_from_slice(&entry[..11]);
        let whole = !self.slots.is_empty() && self.next == 0 && self.sum == name::checksum(&raw);
        if !whole || attributes & LABEL != 0 {
            self.flush(out);
        }
        if attributes & LABEL != 0 {
            let name = name::short(&raw, 0).replace('.', "");
            out.push(Record::Label { at, name });
            return false;
        }
        let first = u32::from(u16_at(entry, 20)) << 16 | u32::from(u16_at(entry, 26));
        let dir = attributes & DIRECTORY != 0;
        if &raw == b".          " || &raw == b"..         " {
            let up = raw[1] == b'.';
            out.push(Record::Dot { at, up, first, dir });
            return false;
        }
        let mut slots = std::mem::take(&mut self.slots);
        let units: Vec<u16> = self.parts.drain(..).rev().flatten().collect();
        let end = units
            .iter()
            .position(|unit| *unit == 0)
            .unwrap_or(units.len());
        let units = units[..end].to_vec();
        slots.push(at);
        let name = if units.is_empty() {
            name::short(&raw, u8_at(entry, 12))
        } else {
            name::long(&units)
        };
        out.push(Record::Node(Node {
            name,
            short: raw,
            units,
            dir,
            first,
            size: u32_at(entry, 28).into(),
            valid: u32_at(entry, 28).into(),
            slots,
            raw: entry.to_vec(),
            sum_is_good: true,
            hash_is_good: true,
            ..Node::default()
        }));
        false
    }

    fn part(&mut self, at: u64, entry: &[u8], out: &mut Vec<Record>) {
        let (begin, sum) = (u8_at(entry, 0), u8_at(entry, 13));
        let number = begin & 0x3F;
        if begin & 0x40 != 0 {
            self.flush(out);
            (self.sum, self.next) = (sum, number);
        }
        let follows = number == self.next && number != 0 && number <= PARTS && sum == self.sum;
        if !follows {
            self.flush(out);
            out.push(Record::Orphan {
                slots: vec![at],
                set: false,
            });
            return;
        }
        let mut part = [0; 13];
        for (place, unit) in part.iter_mut().enumerate() {
            let offset = match place {
                0..5 => 1 + place * 2,
                5..11 => 14 + (place - 5) * 2,
                _ => 28 + (place - 11) * 2,
            };
            *unit = u16_at(entry, offset);
        }
        self.parts.push(part);
        self.slots.push(at);
        self.next -= 1;
    }

    /// What was seen belongs to nothing.
    pub fn flush(&mut self, out: &mut Vec<Record>) {
        self.parts.clear();
        (self.next, self.sum) = (0, 0);
        let slots = std::mem::take(&mut self.slots);
        if !slots.is_empty() {
            out.push(Record::Orphan { slots, set: false });
        }
    }
}
