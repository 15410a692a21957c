//! Directory entries as they are written.

use std::collections::BTreeSet;

use crate::bytes::{put, u8_at};
use crate::disk::Disk;
use crate::name;
use crate::read::Node;

/// What an entry says of its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub first: u32,
    pub size: u32,
    pub stamp: u32,
    pub folder: bool,
}

/// Where a new name goes, and what its short one is.
pub(super) struct Slots {
    pub at: Vec<u64>,
    /// Entries behind the folder's end that stay free before these: they must not end it.
    pub gap: Vec<u64>,
    /// The entry behind these, where it must become the end.
    pub end: Option<u64>,
    pub short: Short,
    /// The folder's last cluster and the one that was added behind it.
    pub link: Option<(u32, u32)>,
}

/// A short name, its case flags, and whether it needs a long one beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    pub raw: [u8; 11],
    pub case: u8,
    pub long: bool,
}

impl Place {
    /// A short entry.
    pub fn short(&self, raw: &[u8; 11], case: u8) -> [u8; 32] {
        let mut entry = [0; 32];
        put(&mut entry, 0, raw);
        put(
            &mut entry,
            11,
            &[if self.folder { 0x10 } else { 0x20 }, case],
        );
        let [t0, t1, d0, d1] = self.stamp.to_le_bytes();
        put(&mut entry, 14, &[t0, t1, d0, d1, d0, d1]);
        self.over(&entry)
    }

    /// An entry that keeps its name and is otherwise this.
    pub fn over(&self, entry: &[u8]) -> [u8; 32] {
        let mut new = [0; 32];
        put(&mut new, 0, entry.get(..32).unwrap_or_default());
        put(&mut new, 20, &((self.first >> 16) as u16).to_le_bytes());
        put(&mut new, 22, &self.stamp.to_le_bytes());
        put(&mut new, 26, &(self.first as u16).to_le_bytes());
        put(&mut new, 28, &self.size.to_le_bytes());
        new
    }

    /// All entries of a name, in the order they stand in: the last part of the long name first.
    pub fn entries(&self, name: &str, short: &Short) -> Vec<[u8; 32]> {
        let mut entries = Vec::new();
        if short.long {
            let units: Vec<u16> = name.encode_utf16().collect();
            let sum = name::checksum(&short.raw);
            let parts = units.chunks(13).count();
            for (number, part) in units.chunks(13).enumerate().rev() {
                let last = number + 1 == parts;
                entries.push(long(number + 1, last, part, sum));
            }
        }
        entries.push(self.short(&short.raw, short.case));
        entries
    }
}

/// Where the 13 letters of a part stand.
const LETTERS: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

fn long(number: usize, last: bool, part: &[u16], sum: u8) -> [u8; 32] {
    let mut entry = [0; 32];
    let first = number as u8 | if last { 0x40 } else { 0 };
    put(&mut entry, 0, &[first]);
    put(&mut entry, 11, &[0x0F, 0, sum]);
    let mut units = part.iter().copied().chain([0]);
    for at in LETTERS {
        let unit = units.next().unwrap_or(0xFFFF);
        put(&mut entry, at, &unit.to_le_bytes());
    }
    entry
}

/// Whether this can be a name at all.
pub(super) fn is_name(name: &str) -> bool {
    let bad = |letter: char| letter < ' ' || "\"*/:<>?\\|\u{7F}".contains(letter);
    !name.is_empty()
        && name.encode_utf16().count() <= 255
        && !name.chars().any(bad)
        && !name.ends_with(['.', ' '])
}

/// The short name that is the name itself, if there is one: 8 and 3 letters, each part all upper
/// or all lower case.
fn exact(name: &str) -> Option<Short> {
    let (base, end) = name.rsplit_once('.').unwrap_or((name, ""));
    let fits = (1..=8).contains(&base.len()) && end.len() <= 3;
    if !fits || (name.contains('.') && end.is_empty()) {
        return None;
    }
    let mut raw = [b' '; 11];
    put(&mut raw, 0, base.to_ascii_uppercase().as_bytes());
    put(&mut raw, 8, end.to_ascii_uppercase().as_bytes());
    let mixed = |part: &str| {
        let upper = part.bytes().any(|byte| byte.is_ascii_uppercase());
        upper && part.bytes().any(|byte| byte.is_ascii_lowercase())
    };
    let plain = name.is_ascii() && !name.contains(' ') && name::short_is_good(&raw);
    if !plain || mixed(base) || mixed(end) {
        return None;
    }
    let lower = |part: &str, flag: u8| match part.bytes().any(|byte| byte.is_ascii_lowercase()) {
        true => flag,
        false => 0,
    };
    Some(Short {
        raw,
        case: lower(base, 0x08) | lower(end, 0x10),
        long: false,
    })
}

/// How many entries a name takes.
pub(super) fn entries(name: &str) -> usize {
    match exact(name) {
        Some(_) => 1,
        None => 1 + name.encode_utf16().count().div_ceil(13),
    }
}

/// A short name that no other entry of the folder has.
pub(super) fn short_for(name: &str, others: &[Node]) -> Short {
    if let Some(short) = exact(name) {
        return short;
    }
    let taken: BTreeSet<[u8; 11]> = others.iter().map(|node| node.short).collect();
    let (base, end) = name.rsplit_once('.').unwrap_or((name, ""));
    let letters = |text: &str, most: usize| -> Vec<u8> {
        let upper = text.bytes().map(|byte| byte.to_ascii_uppercase());
        let fine = upper.map(|byte| match byte {
            b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => byte,
            _ => b'_',
        });
        fine.take(most).collect()
    };
    let mut raw = [b' '; 11];
    put(&mut raw, 8, &letters(end, 3));
    let base = letters(base.trim_matches('.'), 8);
    for number in 1_u32..1_000_000 {
        let tail = format!("~{number}");
        let room = 8 - tail.len();
        let head = base.get(..base.len().min(room)).unwrap_or_default();
        put(&mut raw, 0, b"        ");
        put(&mut raw, 0, head);
        put(&mut raw, head.len(), tail.as_bytes());
        if !taken.contains(&raw) {
            break;
        }
    }
    Short {
        raw,
        case: 0,
        long: true,
    }
}

/// Entries for a name, as [`Slots`] has them: `at`, `gap`, `end`.
pub(super) type Room = (Vec<u64>, Vec<u64>, Option<u64>);

/// Free entries for a name, all in one sector if there are such: then one write enters it.
pub(super) fn room(
    disk: &mut Disk<'_>,
    pieces: &[(u64, u64)],
    need: usize,
    sector: u64,
) -> Option<Room> {
    let mut entries = Vec::new();
    for (start, length) in pieces {
        let bytes = disk.bytes(*start, *length as usize);
        let firsts = bytes.chunks(32).map(|entry| u8_at(entry, 0));
        entries.extend((*start..).step_by(32).zip(firsts));
    }
    let end = entries.iter().position(|(_, first)| *first == 0);
    let end = end.unwrap_or(entries.len());
    let is_free = |at: usize| at >= end || entries[at].1 == 0xE5;
    let fits = |at: &usize| (*at..at + need).all(is_free);
    let together = |at: &usize| entries[*at].0 / sector == entries[at + need - 1].0 / sector;
    let starts = || (0..(entries.len() + 1).saturating_sub(need)).filter(fits);
    let at = starts().find(together).or_else(|| starts().next())?;
    let places = |range: std::ops::Range<usize>| {
        let range = entries.get(range).unwrap_or_default();
        range.iter().map(|(place, _)| *place).collect()
    };
    // What was the end must go on, and behind the new entries there must be one.
    let behind = entries.get(at + need);
    let dirty = behind.filter(|(_, first)| at + need > end && *first != 0);
    Some((
        places(at..at + need),
        places(end..at.max(end)),
        dirty.map(|(place, _)| *place),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_eight_and_three_need_no_long_one_and_keep_their_case() {
        let short = exact("main.py").unwrap();
        assert_eq!((&short.raw, short.case), (b"MAIN    PY ", 0x18));
        let short = exact("README.txt").unwrap();
        assert_eq!((&short.raw, short.case), (b"README  TXT", 0x10));
        for long in [
            "Main.py",
            "main.json5",
            "longername.py",
            "a b.py",
            ".hidden",
            "é.py",
            "a.b.c",
        ] {
            assert_eq!(exact(long), None, "{long}");
        }
        // As FatFs names it.
        assert_eq!(short_for(".openmv_disk", &[]).raw, *b"~1      OPE");
    }

    #[test]
    fn names_that_no_directory_can_hold_are_refused() {
        for bad in [
            "",
            "a/b",
            "a:b",
            "tail.",
            "tail ",
            "\u{1b}[31m",
            &"x".repeat(256),
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
        for good in ["main.py", "ünï.py", ".openmv_disk", "a b"] {
            assert!(is_name(good), "{good:?}");
        }
    }
}
