//! How a disk is divided: not at all, by an MBR, by extended partitions, by a GPT.
//!
//! ```text
//!   MBR: 446, 462, 478, 494: 0 flag | 4 type | 8 first sector | 12 sectors;   510: 55 AA
//! ```
//! The camera looks at sector 0 and at the MBR's four entries; nothing else.

use crate::boot;
use crate::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::disk::Disk;
use crate::{Edit, Finding, Form, Kind, Loss, Report, Volume};

/// Where the four entries begin.
const ENTRIES: [u64; 4] = [446, 462, 478, 494];
/// Extended partitions that are followed, and entries of a GPT that are looked at.
const LOGICAL: usize = 64;
const GPT_ENTRIES: u32 = 128;
/// Sectors in which volumes begin whose entry is lost. The first is the camera's internal disk.
const USUAL: [u64; 9] = [256, 63, 128, 2048, 8192, 16384, 32768, 64, 1];

/// How a volume is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Whole,
    /// By an entry of the MBR that stands at a byte.
    Primary {
        at: u64,
        kind: u8,
    },
    Logical,
    Gpt,
}

/// A stretch of the disk that may hold a volume.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub start: u64,
    pub length: u64,
    pub how: How,
}

/// The first volume that can be read, for those who only want its files.
pub(crate) fn first(disk: &mut Disk<'_>) -> Option<u64> {
    let parts = locate(disk, &mut Report::default());
    let mut starts = parts.into_iter().map(|part| part.start);
    starts.find(|start| boot::shape(disk, *start).is_some())
}

/// The size of a sector, for an image whose medium is not there to be asked: that of its volume.
/// `device` must have sectors of 512 bytes.
pub fn likely_sector_size(device: &mut dyn crate::Sectors) -> u32 {
    let mut disk = Disk::new(device);
    let sector = disk.bytes(0, 512);
    if let Ok(volume) = Volume::parse(&sector, 0) {
        return volume.sector;
    }
    for unit in [512, 4096] {
        for entry in entries(&sector, unit)
            .iter()
            .filter(|entry| entry.kind != 0)
        {
            let boot = disk.bytes(entry.start, 512);
            let fits = Volume::parse(&boot, entry.start)
                .is_ok_and(|volume| u64::from(volume.sector) == unit);
            if entry.start > 0 && fits {
                return unit as u32;
            }
        }
    }
    512
}

/// All stretches, in the order a camera tries them.
pub(crate) fn locate(disk: &mut Disk<'_>, report: &mut Report) -> Vec<Part> {
    let size = disk.size();
    let whole = Part {
        start: 0,
        length: size,
        how: How::Whole,
    };
    let sector = disk.bytes(0, 512);
    report.table = "no partition table";
    if Volume::parse(&sector, 0).is_ok() {
        return vec![whole];
    }
    let unit = disk.sector().max(512);
    let entries = entries(&sector, unit);
    let signed = u16_at(&sector, 510) == 0xAA55;
    let plausible = entries
        .iter()
        .all(|entry| entry.kind == 0 || entry.start > 0);
    let mut parts: Vec<Part> = Vec::new();
    if plausible && entries.iter().any(|entry| entry.kind != 0) {
        for entry in entries.iter().filter(|entry| entry.kind != 0) {
            match entry.kind {
                0xEE => gpt(disk, unit, report, &mut parts),
                0x05 | 0x0F | 0x85 => extended(disk, unit, entry.start, &mut parts),
                kind => parts.push(Part {
                    start: entry.start,
                    length: entry.length,
                    how: How::Primary { at: entry.at, kind },
                }),
            }
        }
        let gpt = parts.iter().any(|part| part.how == How::Gpt);
        let good = signed
            || parts
                .iter()
                .any(|part| boot::shape(disk, part.start).is_some());
        if good {
            report.table = if gpt { "GPT" } else { "MBR" };
            judge(disk, &parts, &entries, signed, report);
            return parts;
        }
    }
    if boot::shape(disk, 0).is_some() {
        return vec![whole];
    }
    lost(disk, unit, &sector, report).into_iter().collect()
}

#[derive(Clone, Copy)]
struct Primary {
    at: u64,
    flag: u8,
    kind: u8,
    start: u64,
    length: u64,
}

fn entries(sector: &[u8], unit: u64) -> Vec<Primary> {
    let read = |at: &u64| {
        let place = *at as usize;
        Primary {
            at: *at,
            flag: u8_at(sector, place),
            kind: u8_at(sector, place + 4),
            start: u64::from(u32_at(sector, place + 8)) * unit,
            length: u64::from(u32_at(sector, place + 12)) * unit,
        }
    };
    ENTRIES.iter().map(read).collect()
}

fn judge(
    disk: &mut Disk<'_>,
    parts: &[Part],
    entries: &[Primary],
    signed: bool,
    report: &mut Report,
) {
    if !signed {
        let edit = Edit::bytes(510, [0x55, 0xAA]);
        report.add(Finding::new(Kind::TableSignature, "55 AA is missing at byte 510").edit(edit));
    }
    for entry in entries.iter().filter(|entry| entry.kind != 0) {
        if !matches!(entry.flag, 0 | 0x80) {
            let detail = format!("flag {:02X}", entry.flag);
            report.add(Finding::new(Kind::PartitionBoot, detail).edit(Edit::bytes(entry.at, [0])));
        }
    }
    for (index, part) in parts.iter().enumerate() {
        let volume = boot::shape(disk, part.start);
        if let How::Primary { at, kind } = part.how {
            past_end(disk, part, at, volume.as_ref(), report);
            if let Some(volume) = &volume {
                wrong_type(volume, at, kind, report);
            }
        }
        let overlap = |other: &&Part| {
            part.start < other.start.saturating_add(other.length)
                && other.start < part.start.saturating_add(part.length)
        };
        if parts[..index].iter().any(|other| overlap(&other)) {
            let detail = format!("from byte {}", part.start);
            report.add(Finding::new(Kind::PartitionsOverlap, detail));
        }
    }
}

fn past_end(disk: &Disk<'_>, part: &Part, at: u64, volume: Option<&Volume>, report: &mut Report) {
    let end = part.start.saturating_add(part.length);
    if end <= disk.size() {
        return;
    }
    let detail = format!("it ends at byte {end}, the disk at {}", disk.size());
    let mut finding = Finding::new(Kind::PartitionPastEnd, detail);
    if let Some(volume) = volume.filter(|volume| volume.end() <= disk.size()) {
        let sectors = (volume.size / disk.sector().max(512)) as u32;
        finding = finding.edit(Edit::bytes(at + 12, sectors.to_le_bytes()));
    }
    report.add(finding);
}

/// Types a partition may have. Those of FAT are taken for one another by everybody.
fn wrong_type(volume: &Volume, at: u64, kind: u8, report: &mut Report) {
    let (fits, right) = match volume.form {
        Form::Fat12 => (
            matches!(kind, 0x01 | 0x04 | 0x06 | 0x0B | 0x0C | 0x0E | 0xEF),
            0x01,
        ),
        Form::Fat16 => (
            matches!(kind, 0x04 | 0x06 | 0x0B | 0x0C | 0x0E | 0xEF),
            0x0E,
        ),
        Form::Fat32 => (
            matches!(kind, 0x04 | 0x06 | 0x0B | 0x0C | 0x0E | 0xEF),
            0x0C,
        ),
        Form::Exfat => (kind == 0x07, 0x07),
    };
    if !fits {
        let detail = format!("type {kind:02X} on {}", volume.form.name());
        report.add(Finding::new(Kind::PartitionType, detail).edit(Edit::bytes(at + 4, [right])));
    }
}

/// Follows the chain of extended partitions, which points forward only and so has an end.
fn extended(disk: &mut Disk<'_>, unit: u64, base: u64, parts: &mut Vec<Part>) {
    let mut at = base;
    for _ in 0..LOGICAL {
        let sector = disk.bytes(at, 512);
        if u16_at(&sector, 510) != 0xAA55 {
            return;
        }
        let links = entries(&sector, unit);
        let (own, next) = (links[0], links[1]);
        if own.kind != 0 {
            let start = at.saturating_add(own.start);
            parts.push(Part {
                start,
                length: own.length,
                how: How::Logical,
            });
        }
        let following = base.saturating_add(next.start);
        if next.kind == 0 || following <= at {
            return;
        }
        at = following;
    }
}

/// Whether a GPT's header at a place holds together, its entries included; and where they are.
fn header(disk: &mut Disk<'_>, unit: u64, at: u64) -> Option<(u64, u32, u32)> {
    let mut head = disk.bytes(at, 512);
    let length = u32_at(&head, 12) as usize;
    if head.get(..8) != Some(b"EFI PART") || !(92..=512).contains(&length) {
        return None;
    }
    let sum = u32_at(&head, 16);
    head[16..20].fill(0);
    let (count, each) = (u32_at(&head, 80), u32_at(&head, 84));
    if crc32(&head[..length]) != sum || count > GPT_ENTRIES || !(128..=512).contains(&each) {
        return None;
    }
    let place = u64_at(&head, 72).checked_mul(unit)?;
    let table = disk.bytes(place, (count * each) as usize);
    (crc32(&table) == u32_at(&head, 88)).then_some((place, count, each))
}

fn gpt(disk: &mut Disk<'_>, unit: u64, report: &mut Report, parts: &mut Vec<Part>) {
    let last = disk.size().saturating_sub(unit);
    let (main, copy) = (header(disk, unit, unit), header(disk, unit, last));
    if main.is_none() || copy.is_none() {
        let which = match (main, copy) {
            (None, None) => "both headers",
            (None, _) => "the first header",
            _ => "the header at the end",
        };
        report.add(Finding::new(Kind::GptDamaged, which));
    }
    let Some((place, count, each)) = main.or(copy) else {
        return;
    };
    for index in 0..count {
        let entry = disk.bytes(place + u64::from(index * each), 128);
        let (first, last) = (u64_at(&entry, 32), u64_at(&entry, 40));
        let used = entry[..16].iter().any(|byte| *byte != 0);
        if used && first > 0 && last >= first {
            let length = (last - first).saturating_add(1).saturating_mul(unit);
            let start = first.saturating_mul(unit);
            parts.push(Part {
                start,
                length,
                how: How::Gpt,
            });
        }
    }
}

/// CRC-32 as zip and GPT have it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// Looks where volumes usually begin, for one that no entry leads to.
fn lost(disk: &mut Disk<'_>, unit: u64, sector: &[u8], report: &mut Report) -> Option<Part> {
    for first in USUAL {
        let start = first * unit;
        if start >= disk.size() {
            continue;
        }
        let boot = disk.bytes(start, 512);
        let Ok(volume) = Volume::parse(&boot, start) else {
            continue;
        };
        if u16_at(&boot, 510) != 0xAA55 || volume.end() > disk.size() {
            continue;
        }
        let kind = match volume.form {
            Form::Fat12 => 0x01,
            Form::Fat16 => 0x0E,
            Form::Fat32 => 0x0C,
            Form::Exfat => 0x07,
        };
        let mut entry = [0; 66];
        entry[1..8].copy_from_slice(&[0xFE, 0xFF, 0xFF, kind, 0xFE, 0xFF, 0xFF]);
        entry[8..12].copy_from_slice(&(first as u32).to_le_bytes());
        entry[12..16].copy_from_slice(&((volume.size / unit) as u32).to_le_bytes());
        entry[64..].copy_from_slice(&[0x55, 0xAA]);
        let empty = sector[446..510].iter().all(|byte| *byte == 0);
        let loss = if empty { Loss::None } else { Loss::Guess };
        let detail = format!("{} found at sector {first}", volume.form.name());
        let finding = Finding::new(Kind::PartitionOrder, detail);
        let repair = Kind::PartitionOrder.about().repair;
        report.add(finding.fix(loss, repair, vec![Edit::bytes(446, entry)]));
        let how = How::Primary { at: 446, kind };
        return Some(Part {
            start,
            length: volume.size,
            how,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_zip() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
