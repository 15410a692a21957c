//! Entries of directories: names, attributes, `.` and `..`, the root's own entries.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::walk::{Look, shown};
use crate::bytes::put;
use crate::read::{Node, Record, Upcase, name_hash};
use crate::table::END;
use crate::{Edit, Finding, Kind, Loss, name};

/// The names of one directory.
#[derive(Default)]
pub(super) struct Names {
    short: HashSet<u128>,
    long: HashSet<u64>,
}

fn hash(units: &[u16], upcase: Option<&Upcase>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for unit in units {
        let upper = match upcase {
            Some(upcase) => upcase.upper(*unit),
            None if (0x61..=0x7A).contains(unit) => unit - 0x20,
            None => *unit,
        };
        upper.hash(&mut hasher);
    }
    hasher.finish()
}

/// Judges an entry; says whether its chain is worth following.
pub(super) fn judge(look: &mut Look<'_, '_>, node: &Node, path: &str, names: &mut Names) -> bool {
    if look.volume.is_exfat() {
        if !exfat(look, node, path) {
            return false;
        }
    } else {
        fat(look, node, path);
    }
    let exfat = look.volume.is_exfat();
    let twice = if exfat {
        !names.long.insert(hash(&node.units, look.upcase.as_ref()))
    } else {
        !names.short.insert(node.key())
    };
    if twice {
        let edits = if exfat {
            renamed_set(look, node)
        } else {
            renamed(node, names)
        };
        let mut finding = Finding::new(Kind::SameName, "it stands there before");
        finding.edits = edits;
        look.add(finding.path(path));
    }
    true
}

fn fat(look: &mut Look<'_, '_>, node: &Node, path: &str) {
    if !name::short_is_good(&node.short) {
        let fixed = name::short_repaired(&node.short);
        look.add(
            Finding::new(Kind::BadName, "in its short form")
                .path(path)
                .fix(
                    Loss::None,
                    Kind::BadName.about().repair,
                    short_edits(node, fixed),
                ),
        );
    } else if !node.units.is_empty() && !name::long_is_good(&node.units) {
        let long = &node.slots[..node.slots.len().saturating_sub(1)];
        let edits = crate::read::free(&look.volume, long, &[]);
        let finding = Finding::new(Kind::BadName, "in its long form").path(path);
        look.add(finding.fix(Loss::None, "drop the long name; the short one stays", edits));
    }
    let attributes = node.attributes();
    if attributes & 0xC0 != 0 {
        let at = node.slots.last().copied().unwrap_or(0) + 11;
        let edit = Edit::bytes(at, [(attributes & 0x3F) as u8]);
        let detail = format!("attributes {attributes:02X}");
        look.add(
            Finding::new(Kind::BadAttribute, detail)
                .path(path)
                .edit(edit),
        );
    }
}

/// Writes a short name; a long name before it gets the sum that belongs to it.
fn short_edits(node: &Node, short: [u8; 11]) -> Vec<Edit> {
    let Some((own, long)) = node.slots.split_last() else {
        return Vec::new();
    };
    let sum = name::checksum(&short);
    let mut edits: Vec<_> = long.iter().map(|at| Edit::bytes(at + 13, [sum])).collect();
    edits.push(Edit::bytes(*own, short));
    edits
}

fn renamed(node: &Node, names: &mut Names) -> Vec<Edit> {
    for number in 0..1000_u32 {
        let mut short = node.short;
        short[8..].copy_from_slice(format!("{number:03}").as_bytes());
        let key = Node {
            short,
            ..Node::default()
        }
        .key();
        if names.short.insert(key) {
            return short_edits(node, short);
        }
    }
    Vec::new()
}

/// Puts a number into the last letters of a name.
fn renamed_set(look: &Look<'_, '_>, node: &Node) -> Vec<Edit> {
    let mut units = node.units.clone();
    let number: Vec<u16> = format!("{:03}", node.slots[0] / 32 % 1000)
        .encode_utf16()
        .collect();
    let begin = units.len().saturating_sub(3);
    for (place, unit) in units[begin..].iter_mut().zip(number) {
        *place = unit;
    }
    write_units(look, node, &units)
}

fn write_units(look: &Look<'_, '_>, node: &Node, units: &[u16]) -> Vec<Edit> {
    let mut raw = node.raw.clone();
    for (at, unit) in units.iter().enumerate() {
        put(
            &mut raw,
            64 + at / 15 * 32 + 2 + at % 15 * 2,
            &unit.to_le_bytes(),
        );
    }
    if let Some(upcase) = &look.upcase {
        put(&mut raw, 32 + 4, &name_hash(units, upcase).to_le_bytes());
    }
    node.sealed(raw)
}

/// An exFAT set; says whether to believe its numbers.
fn exfat(look: &mut Look<'_, '_>, node: &Node, path: &str) -> bool {
    if !node.sum_is_good {
        // A set that holds together but for its sum was half written, or hit by a flipped bit.
        let exists = node.first == 0 && node.size == 0 || look.volume.has(node.first);
        let fits = node.size <= u64::from(look.volume.clusters) * u64::from(look.volume.cluster);
        let holds = exists && fits && name::long_is_good(&node.units);
        let mut finding = Finding::new(Kind::SetChecksum, "over its entries").path(path);
        finding.loss = Loss::Guess;
        if holds {
            let mut raw = node.raw.clone();
            if let Some(upcase) = &look.upcase {
                put(&mut raw, 36, &name_hash(&node.units, upcase).to_le_bytes());
            }
            finding.edits = node.sealed(raw);
        } else {
            finding.repair = "free it; its clusters are kept as a lost file".into();
            finding.edits = node.freed(&look.volume);
        }
        look.add(finding);
        return holds;
    }
    if !name::long_is_good(&node.units) {
        let fixed = |unit: &u16| {
            if name::long_unit_is_good(*unit) {
                *unit
            } else {
                u16::from(b'_')
            }
        };
        let units: Vec<u16> = node.units.iter().map(fixed).collect();
        let mut finding = Finding::new(Kind::BadName, "in its name").path(path);
        finding.edits = write_units(look, node, &units);
        look.add(finding);
    } else if !node.hash_is_good {
        let mut finding = Finding::new(Kind::NameHash, "in its entry").path(path);
        finding.edits = write_units(look, node, &node.units);
        look.add(finding);
    }
    if node.valid > node.size {
        let detail = format!("{} of {} bytes", node.valid, node.size);
        let mut finding = Finding::new(Kind::ValidLength, detail).path(path);
        finding.edits = node.changed(&look.volume, None, None, None);
        look.add(finding);
    }
    true
}

/// Parts that belong to nothing.
pub(super) fn orphan(look: &mut Look<'_, '_>, path: &str, slots: &[u64], set: bool) {
    let kind = if set {
        Kind::SetBroken
    } else {
        Kind::LongNameOrphan
    };
    let first = slots.first().copied().unwrap_or(0);
    let finding = Finding::new(kind, format!("{} entries at byte {first}", slots.len()));
    let loss = if set { Loss::Data } else { Loss::None };
    let edits = crate::read::free(&look.volume, slots, &[]);
    look.add(
        finding
            .path(shown(path))
            .fix(loss, kind.about().repair, edits),
    );
}

impl Look<'_, '_> {
    /// What only exFAT's root has.
    pub fn root_records(&mut self, found: &[Record]) {
        if !self.volume.is_exfat() {
            return;
        }
        if let Some((first, size)) = self.volume.bitmap {
            let need = self.volume.need(size);
            self.claim(first, Some(need), true);
            let in_first = u64::from(self.volume.cluster);
            let root = self.volume.at(self.volume.root);
            let place = found.iter().find_map(|record| match record {
                Record::Bitmap { at, .. } => Some(*at),
                _ => None,
            });
            // FatFs follows its chain, every link of which must lead to the next cluster.
            let mut last = first;
            let ending = loop {
                match self.table.get(self.disk, last) {
                    next if next == last + 1 => last = next,
                    next => break next,
                }
            };
            if ending != END || place.is_some_and(|at| !(root..root + in_first).contains(&at)) {
                self.add(Finding::new(
                    Kind::CameraExfat,
                    "the bitmap is not where the camera looks",
                ));
                self.seen.camera = false;
            }
        } else {
            self.seen.camera = false;
            let finding = self.missing_bitmap(found);
            self.add(finding);
        }
        let upcase = found.iter().find_map(|record| match record {
            Record::Upcase {
                at,
                first,
                size,
                sum,
            } => Some((*at, *first, *size, *sum)),
            _ => None,
        });
        let Some((at, first, size, sum)) = upcase else {
            self.add(Finding::new(Kind::NoUpcase, "no entry in the root"));
            return;
        };
        let need = self.volume.need(size);
        self.claim(first, Some(need), false);
        match Upcase::read(self.disk, &self.volume, first, size) {
            Some((upcase, real)) if real == sum => self.upcase = Some(upcase),
            Some((upcase, real)) => {
                // The letters a to z tell whether the table is one.
                let whole = (0x61..=0x7A).all(|unit| upcase.upper(unit) == unit - 0x20);
                let mut finding = Finding::new(Kind::NoUpcase, "its checksum is wrong");
                if whole {
                    finding = finding.edit(Edit::bytes(at + 4, real.to_le_bytes()));
                    finding.loss = Loss::Guess;
                }
                self.add(finding);
            }
            None => self.add(Finding::new(Kind::NoUpcase, "its entry is wrong")),
        }
    }

    /// A bitmap whose entry is damaged usually lies where every formatter puts it: in the first
    /// cluster.
    fn missing_bitmap(&mut self, found: &[Record]) -> Finding {
        let size = u64::from(self.volume.clusters.div_ceil(8));
        let entry = found.iter().find_map(|record| match record {
            Record::Bitmap { at, raw, .. } => Some((*at, raw.clone())),
            _ => None,
        });
        let finding = Finding::new(
            Kind::NoBitmap,
            if entry.is_some() {
                "its entry is wrong"
            } else {
                "no entry in the root"
            },
        );
        let Some((at, mut raw)) = entry else {
            return finding;
        };
        put(&mut raw, 20, &2_u32.to_le_bytes());
        put(&mut raw, 24, &size.to_le_bytes());
        // Its own clusters must be marked in it.
        let begin = self.disk.bytes(self.volume.at(2), 1)[0];
        if begin & 1 == 0 {
            return finding;
        }
        finding.fix(
            Loss::Guess,
            Kind::NoBitmap.about().repair,
            vec![Edit::bytes(at, raw)],
        )
    }

    /// `.` and `..`; says whether this is a directory at all.
    pub fn dots(
        &mut self,
        found: &[Record],
        pieces: &[(u64, u64)],
        node: &Node,
        parent: u32,
        path: &str,
        count: u64,
    ) -> bool {
        let own = node.first;
        let Some((begin, _)) = pieces.first().copied() else {
            return false;
        };
        let dots: Vec<_> = found
            .iter()
            .filter_map(|record| match record {
                Record::Dot { at, up, first, dir } => Some((*at, *up, *first, *dir)),
                _ => None,
            })
            .collect();
        if dots.is_empty() && self.is_garbage(found, begin) {
            let finding =
                Finding::new(Kind::NotADirectory, "its first entries are none").path(path);
            let at = node.slots.last().copied().unwrap_or(0);
            let size = (count * u64::from(self.volume.cluster)).min(u32::MAX.into()) as u32;
            let mut raw = node.raw.clone();
            put(&mut raw, 11, &[0x20]);
            put(&mut raw, 28, &size.to_le_bytes());
            self.add(finding.edit(Edit::bytes(at, raw)));
            return false;
        }
        // FAT32's root is written as 0 there.
        let above = if parent == self.volume.root {
            0
        } else {
            parent
        };
        for (index, up, wanted, kind) in [
            (0, false, own, Kind::DotEntry),
            (1, true, above, Kind::DotDotEntry),
        ] {
            let at = begin + index * 32;
            let good = |dot: &(u64, bool, u32, bool)| *dot == (at, up, wanted, true);
            if dots.iter().any(good) {
                continue;
            }
            let here = dots.iter().any(|dot| dot.0 == at && dot.1 == up);
            let entry = self.disk.bytes(at, 32);
            let free = matches!(entry[0], 0 | 0xE5);
            let mut finding =
                Finding::new(kind, format!("it must lead to cluster {wanted}")).path(path);
            if here {
                let mut fixed = entry;
                put(&mut fixed, 11, &[0x10]);
                put(&mut fixed, 20, &((wanted >> 16) as u16).to_le_bytes());
                put(&mut fixed, 26, &(wanted as u16).to_le_bytes());
                put(&mut fixed, 28, &[0; 4]);
                finding = finding.edit(Edit::bytes(at, fixed));
            } else if free || self.looks_like_dot(&entry, up) {
                let mut fixed = vec![0; 32];
                fixed[..11].copy_from_slice(if up { b"..         " } else { b".          " });
                fixed[11] = 0x10;
                put(&mut fixed, 20, &((wanted >> 16) as u16).to_le_bytes());
                put(&mut fixed, 26, &(wanted as u16).to_le_bytes());
                // 1 January 1980: an entry without a date worries some.
                put(&mut fixed, 24, &0x21_u16.to_le_bytes());
                finding = finding.edit(Edit::bytes(at, fixed));
            } else {
                finding.repair = String::new();
            }
            self.add(finding);
        }
        true
    }

    /// An entry whose name was hit but whose numbers are those of a dot.
    fn looks_like_dot(&self, entry: &[u8], up: bool) -> bool {
        let spaces = entry
            .get(2..11)
            .is_some_and(|rest| rest.iter().filter(|byte| **byte == b' ').count() >= 7);
        let directory = entry
            .get(11)
            .is_some_and(|attributes| attributes & 0x10 != 0);
        let second = entry.get(1) == Some(&if up { b'.' } else { b' ' });
        directory && spaces && (second || entry.first() == Some(&b'.'))
    }

    /// Whether a cluster that should be a directory holds something else.
    fn is_garbage(&mut self, found: &[Record], begin: u64) -> bool {
        let bytes = self.disk.bytes(begin, 64);
        let entry = |at: usize| {
            let (first, attributes) = (bytes[at], bytes[at + 11]);
            first == 0
                || attributes & 0xC0 == 0 && (first == 0xE5 || first >= 0x20) && attributes != 0
        };
        let nothing = found.is_empty() && bytes.iter().any(|byte| *byte != 0);
        let bad = found.iter().filter(|record| match record {
            Record::Node(node) => {
                let exists = node.first == 0 || self.volume.has(node.first);
                !name::short_is_good(&node.short) || node.attributes() & 0xC0 != 0 || !exists
            }
            Record::Orphan { .. } | Record::Label { .. } => true,
            _ => false,
        });
        let mostly = bad.count() * 2 > found.len();
        (nothing || mostly) && !(entry(0) && entry(32)) || mostly && found.len() > 1
    }
}
