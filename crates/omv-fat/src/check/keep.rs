//! Lost chains as files: a directory `FOUND.nnn` in the root gets an entry for each.

use super::lost::{Lone, Lost};
use super::walk::Look;
use crate::bits::Bits;
use crate::bytes::put;
use crate::read::{name_hash, set_checksum};
use crate::{Edit, Finding, Kind, Loss};

/// Chains that one directory takes.
const KEPT: usize = 500;
/// 1 January 1980, 0:00.
const DATE: u16 = 0x21;

/// Adds the findings about lost clusters, with what keeps them.
pub(super) fn plan(look: &mut Look<'_, '_>, lost: &Lost, used: &Bits) {
    if lost.clusters == 0 {
        return;
    }
    let garbage: Vec<u32> = lost
        .chains
        .iter()
        .filter(|lone| lone.garbage && !lone.taken.get())
        .map(|lone| lone.head)
        .collect();
    if !garbage.is_empty() {
        let edits = garbage.iter().map(|cluster| Edit::Link {
            cluster: *cluster,
            value: 0,
        });
        let edits = edits.collect();
        let detail = format!("{} entries", garbage.len());
        let finding = Finding::new(Kind::FatGarbage, detail).clusters(garbage);
        look.add(finding.fix(Loss::Guess, Kind::FatGarbage.about().repair, edits));
    }
    let kept: Vec<&Lone> = lost
        .chains
        .iter()
        .filter(|lone| !lone.garbage && !lone.taken.get())
        .take(KEPT)
        .collect();
    // Directories first: what is in them is not lost any more when they are back.
    let folders: Vec<&Lone> = kept
        .iter()
        .copied()
        .filter(|lone| lone.above.is_some())
        .collect();
    let kept = if folders.is_empty() { kept } else { folders };
    if kept.is_empty() {
        return;
    }
    let detail = format!("{} clusters in {} chains", lost.clusters, lost.chains.len());
    let mut finding =
        Finding::new(Kind::LostClusters, detail).clusters(kept.iter().map(|lone| lone.head));
    match edits(look, &kept, used) {
        Some(edits) => finding.edits = edits,
        None => {
            finding.repair =
                "make room first: there is no free cluster, or no entry in the root".into()
        }
    }
    look.add(finding);
}

fn edits(look: &mut Look<'_, '_>, kept: &[&Lone], used: &Bits) -> Option<Vec<Edit>> {
    let exfat = look.volume.is_exfat();
    let each = if exfat { 96 } else { 32 };
    let dots = if exfat { 0 } else { 2 };
    let length = (kept.len() + dots) * each;
    let count = look.volume.need(length as u64).max(1);
    let clusters = free_run(look, used, count)?;
    let first = clusters;
    let number = (0..1000).find(|number| !look.founds.contains(number))?;
    let mut content = vec![0; (count * u64::from(look.volume.cluster)) as usize];
    let mut edits = Vec::new();
    if !exfat {
        put(&mut content, 0, &entry(b".          ", 0x10, first, 0));
        put(&mut content, 32, &entry(b"..         ", 0x10, 0, 0));
    }
    for (index, lone) in kept.iter().enumerate() {
        let size = lone.length * u64::from(look.volume.cluster);
        if exfat {
            let set = set(
                look,
                &format!("FILE{index:04}.CHK"),
                0x20,
                lone.head,
                size,
                lone.straight,
            );
            put(&mut content, index * 96, &set);
        } else if lone.above.is_some() {
            let name = format!("DIR{index:04}    ");
            put(
                &mut content,
                (index + 2) * 32,
                &entry(name.as_bytes(), 0x10, lone.head, 0),
            );
        } else {
            let name = format!("FILE{index:04}CHK");
            let size = size.min(u32::MAX.into()) as u32;
            put(
                &mut content,
                (index + 2) * 32,
                &entry(name.as_bytes(), 0x20, lone.head, size),
            );
        }
        let mended = lone.ended || exfat && lone.straight;
        if !mended {
            edits.push(Edit::Link {
                cluster: lone.tail,
                value: look.volume.end_mark(),
            });
        }
    }
    edits.insert(0, Edit::bytes(look.volume.at(first), content));
    let name = format!("FOUND   {number:03}");
    let size = count * u64::from(look.volume.cluster);
    let slots = if exfat { 3 } else { 1 };
    let (at, behind) = slot(look, slots)?;
    if exfat {
        let marks = (0..count as u32).map(|more| Edit::Mark {
            cluster: first + more,
            used: true,
        });
        edits.extend(marks);
        let set = set(look, &format!("FOUND.{number:03}"), 0x10, first, size, true);
        edits.extend(behind);
        edits.push(Edit::bytes(at, set));
    } else {
        let last = first + count as u32 - 1;
        for cluster in (first..=last).rev() {
            let value = if cluster == last {
                look.volume.end_mark()
            } else {
                cluster + 1
            };
            edits.push(Edit::Link { cluster, value });
        }
        edits.extend(behind);
        edits.push(Edit::bytes(at, entry(name.as_bytes(), 0x10, first, 0)));
    }
    Some(edits)
}

/// The first of so many free clusters in a row.
fn free_run(look: &mut Look<'_, '_>, used: &Bits, count: u64) -> Option<u32> {
    let mut length = 0;
    for cluster in 2..look.volume.limit() {
        let free = !used.has(cluster) && !look.claimed.has(cluster);
        length = if free && !look.bad(cluster) {
            length + 1
        } else {
            0
        };
        if length == count {
            return Some(cluster + 1 - count as u32);
        }
    }
    None
}

/// So many free entries of the root in a row, and what keeps the end of the directory an end.
fn slot(look: &mut Look<'_, '_>, count: usize) -> Option<(u64, Vec<Edit>)> {
    let exfat = look.volume.is_exfat();
    for (begin, length) in look.root_pieces.clone() {
        let bytes = look.disk.bytes(begin, length.min(1 << 21) as usize);
        let mut run = 0;
        let mut ended = false;
        for (index, entry) in bytes.chunks_exact(32).enumerate() {
            ended |= entry[0] == 0;
            let free = ended
                || if exfat {
                    entry[0] & 0x80 == 0
                } else {
                    entry[0] == 0xE5
                };
            run = if free { run + 1 } else { 0 };
            if run < count {
                continue;
            }
            let at = begin + (index + 1 - count) as u64 * 32;
            let next = bytes.get((index + 1) * 32).copied().unwrap_or(0);
            let behind =
                (ended && next != 0).then(|| Edit::bytes(begin + (index as u64 + 1) * 32, [0]));
            return Some((at, behind.into_iter().collect()));
        }
    }
    None
}

/// A short entry.
fn entry(name: &[u8], attributes: u8, first: u32, size: u32) -> Vec<u8> {
    let mut entry = vec![0; 32];
    put(&mut entry, 0, &name[..11.min(name.len())]);
    put(&mut entry, 11, &[attributes]);
    put(&mut entry, 16, &DATE.to_le_bytes());
    put(&mut entry, 18, &DATE.to_le_bytes());
    put(&mut entry, 20, &((first >> 16) as u16).to_le_bytes());
    put(&mut entry, 24, &DATE.to_le_bytes());
    put(&mut entry, 26, &(first as u16).to_le_bytes());
    put(&mut entry, 28, &size.to_le_bytes());
    entry
}

/// An exFAT set for a name of at most 15 letters.
fn set(
    look: &Look<'_, '_>,
    name: &str,
    attributes: u16,
    first: u32,
    size: u64,
    straight: bool,
) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().take(15).collect();
    let mut set = vec![0; 96];
    put(&mut set, 0, &[0x85, 2]);
    put(&mut set, 4, &attributes.to_le_bytes());
    for at in [8, 12, 16] {
        put(&mut set, at, &(u32::from(DATE) << 16).to_le_bytes());
    }
    put(
        &mut set,
        32,
        &[0xC0, if straight { 3 } else { 1 }, 0, units.len() as u8],
    );
    if let Some(upcase) = &look.upcase {
        put(&mut set, 36, &name_hash(&units, upcase).to_le_bytes());
    }
    put(&mut set, 40, &size.to_le_bytes());
    put(&mut set, 52, &first.to_le_bytes());
    put(&mut set, 56, &size.to_le_bytes());
    put(&mut set, 64, &[0xC1, 0]);
    for (at, unit) in units.iter().enumerate() {
        put(&mut set, 66 + at * 2, &unit.to_le_bytes());
    }
    let sum = set_checksum(&set);
    put(&mut set, 2, &sum.to_le_bytes());
    set
}

impl Look<'_, '_> {
    /// Whether a cluster is marked bad.
    pub(super) fn bad(&mut self, cluster: u32) -> bool {
        self.table.get(self.disk, cluster) == crate::table::BAD
    }
}
