//! Boot sectors: their marks, their backups, and what the camera wants of them.
//!
//! The camera's file system is FatFs R0.13c: it looks at the jump, the texts and the numbers, and
//! takes a volume only when all are right (its `check_fs` and `find_volume`).

use crate::bytes::{put, u8_at, u16_at, u32_at, u64_at};
use crate::disk::Disk;
use crate::partition::{How, Part};
use crate::read::{Record, records};
use crate::volume::Why;
use crate::{Edit, Finding, Form, Kind, Loss, Options, Report, Volume};

/// Sector of FAT32's backup where its number is not known, and sectors of exFAT's boot region.
const BACKUP: u64 = 6;
const REGION: u64 = 12;

/// Reads a boot sector; the tables it tells of must be on the disk. So the number of clusters, by
/// which memory is asked for, can never be much larger than the disk.
fn parse(disk: &Disk<'_>, boot: &[u8], start: u64) -> Result<Volume, Why> {
    let volume = Volume::parse(boot, start)?;
    let tables = volume.fat_bytes.saturating_mul(volume.fats.into());
    if volume.fat.saturating_add(tables) > disk.size() {
        return Err("a table behind the end of the disk");
    }
    Ok(volume)
}

/// The volume that begins at a byte, read from its boot sector or else from the backup.
pub(crate) fn shape(disk: &mut Disk<'_>, start: u64) -> Option<Volume> {
    let boot = disk.bytes(start, 512);
    let main = parse(disk, &boot, start)
        .ok()
        .filter(|_| !is_worse(disk, start, &boot));
    main.or_else(|| backup(disk, start).map(|(volume, _)| volume))
}

/// A backup that can be used, and where it is.
fn backup(disk: &mut Disk<'_>, start: u64) -> Option<(Volume, u64)> {
    for sector in [512_u64, 4096, 1024, 2048] {
        for number in [BACKUP, REGION] {
            let at = start + number * sector;
            let bytes = disk.bytes(at, 512);
            let signed = u16_at(&bytes, 510) == 0xAA55;
            let Ok(volume) = parse(disk, &bytes, start) else {
                continue;
            };
            let right = match volume.form {
                Form::Exfat => number == REGION,
                Form::Fat32 => volume.backup == Some(number) || number == BACKUP,
                _ => false,
            };
            if signed && right && u64::from(volume.sector) == sector {
                return Some((volume, at));
            }
        }
    }
    None
}

/// Whether the boot sector can be read but its backup fits the disk better: the entry that begins
/// the table must repeat the media byte.
fn is_worse(disk: &mut Disk<'_>, start: u64, boot: &[u8]) -> bool {
    let Ok(main) = parse(disk, boot, start) else {
        return true;
    };
    if !matches!(main.form, Form::Fat32 | Form::Exfat) && u16_at(boot, 22) != 0 {
        return false;
    }
    let Some((copy, _)) = backup(disk, start) else {
        return false;
    };
    let shape = |volume: &Volume| {
        (
            volume.data,
            volume.cluster,
            volume.clusters,
            volume.root,
            volume.size,
        )
    };
    if shape(&main) == shape(&copy) {
        return false;
    }
    score(disk, &copy) > score(disk, &main)
}

/// How well a shape fits what is on the disk.
fn score(disk: &mut Disk<'_>, volume: &Volume) -> u32 {
    let first = u32_at(&disk.bytes(volume.fat, 4), 0);
    let media = 0x0FFF_FF00 | u32::from(volume.media);
    let table = first & 0x0FFF_FFFF == media & 0x0FFF_FFFF;
    let root = disk.bytes(volume.at(volume.root), 32);
    let begin = u8_at(&root, 0);
    let entry = match volume.form {
        Form::Exfat => matches!(begin, 0x81..=0x83),
        _ => begin == 0 || (u8_at(&root, 11) & 0xC0 == 0 && (begin == 0xE5 || begin >= 0x20)),
    };
    let inside = volume.end() <= disk.size();
    // A table that is much longer than its clusters need belongs to another number of clusters.
    let needed = (u64::from(volume.clusters) + 2) * 4;
    let tight = volume.fat_bytes < needed + needed / 8 + 64 * u64::from(volume.sector);
    u32::from(table) * 2 + u32::from(entry) * 2 + u32::from(inside) + u32::from(tight)
}

/// Looks at the boot sectors of a part. `None` when there is no volume in it; whether a camera
/// would take it otherwise.
pub(crate) fn judge(
    disk: &mut Disk<'_>,
    part: &Part,
    options: &Options,
    report: &mut Report,
) -> Option<(Volume, bool)> {
    let start = part.start;
    let boot = disk.bytes(start, 512);
    let main = parse(disk, &boot, start);
    if main.is_err() || is_worse(disk, start, &boot) {
        let why = main.err().unwrap_or("numbers that do not fit the disk");
        let (volume, at) = backup(disk, start)?;
        let sectors = if volume.is_exfat() { REGION } else { 1 };
        let length = sectors * u64::from(volume.sector);
        let copy = Edit::Copy {
            from: at,
            to: start,
            length,
        };
        let finding = Finding::new(
            Kind::BootSector,
            format!("wrong: {why}; the backup is good"),
        );
        report.add(finding.edit(copy));
        return Some((volume, false));
    }
    let volume = main.ok()?;
    let before = report.findings.len();
    if u16_at(&boot, 510) != 0xAA55 {
        let edit = Edit::bytes(start + 510, [0x55, 0xAA]);
        report.add(Finding::new(Kind::BootSignature, "55 AA is missing at byte 510").edit(edit));
    }
    match volume.form {
        Form::Exfat => exfat(disk, &volume, &boot, report),
        _ => fat(disk, &volume, &boot, report),
    }
    size(disk, &volume, part, report);
    let known = options.sector_size_known;
    if known && u64::from(volume.sector) != disk.sector() {
        let detail = format!("{} bytes, the disk's have {}", volume.sector, disk.sector());
        report.add(Finding::new(Kind::SizeOfDevice, detail));
    }
    match part.how {
        How::Gpt => report.add(Finding::new(
            Kind::CameraGpt,
            "only MBR and none at all are known to it",
        )),
        How::Logical => report.add(Finding::new(
            Kind::CameraExtended,
            "only primary partitions are looked at",
        )),
        How::Whole | How::Primary { .. } => {}
    }
    if volume.form == Form::Fat32 && volume.clusters <= 65_525 {
        let detail = format!("{} clusters, FAT32 begins at 65526", volume.clusters);
        report.add(Finding::new(Kind::FewClusters, detail));
    }
    let blocks = [
        Kind::BootSignature,
        Kind::BootJump,
        Kind::BootText,
        Kind::SizeOfDevice,
        Kind::CameraGpt,
        Kind::CameraExtended,
        Kind::FewClusters,
        Kind::CameraExfat,
    ];
    let bad = report
        .findings
        .iter()
        .skip(before)
        .any(|finding| blocks.contains(&finding.kind));
    Some((volume, !bad))
}

fn fat(disk: &mut Disk<'_>, volume: &Volume, boot: &[u8], report: &mut Report) {
    let start = volume.start;
    if !matches!(u8_at(boot, 0), 0xEB | 0xE9 | 0xE8) {
        let edit = Edit::bytes(start, [0xEB, 0xFE, 0x90]);
        let detail = format!("byte {:02X} where EB, E9 or E8 must be", u8_at(boot, 0));
        report.add(Finding::new(Kind::BootJump, detail).edit(edit));
    }
    let (at, text): (usize, &[u8]) = match volume.form {
        Form::Fat32 => (82, b"FAT32   "),
        Form::Fat16 => (54, b"FAT16   "),
        _ => (54, b"FAT12   "),
    };
    let needed = if volume.form == Form::Fat32 { 5 } else { 3 };
    if boot.get(at..at + needed) != text.get(..needed) {
        let edit = Edit::bytes(start + at as u64, text);
        report.add(Finding::new(Kind::BootText, format!("at byte {at}")).edit(edit));
    }
    // Linux keeps its marks here; Windows has them in the table.
    let at = if volume.form == Form::Fat32 { 65 } else { 37 };
    let marks = u8_at(boot, at);
    let clear = |keep: u8| Edit::bytes(start + at as u64, [marks & keep]);
    if marks & 3 == 3 {
        report.add(Finding::new(Kind::HardErrors, "by Linux, in the boot sector").edit(clear(!3)));
    } else if marks & 2 != 0 {
        report.add(Finding::new(Kind::HardErrors, "by Linux, in the boot sector").edit(clear(!2)));
    } else if marks & 1 != 0 {
        report.add(Finding::new(Kind::Dirty, "by Linux, in the boot sector").edit(clear(!1)));
    }
    let Some(number) = volume.backup else {
        return;
    };
    let place = start + number * u64::from(volume.sector);
    let mut copy = disk.bytes(place, 512);
    let mut wanted = boot.to_vec();
    for bytes in [&mut copy, &mut wanted] {
        put(bytes, 65, &[0]);
    }
    // A backup of zeros was never made: cameras and some PCs leave it out.
    if copy != wanted {
        // Jump, texts and signature are mended in the boot sector first, so in the copy as well.
        let edit = Edit::Copy {
            from: start,
            to: place,
            length: 512,
        };
        report.add(
            Finding::new(Kind::BootBackup, format!("sector {number} of the volume")).edit(edit),
        );
    }
}

/// The sum over exFAT's boot sectors but the last. Flags and percentage are left out.
fn region_sum(region: &[u8], sector: usize) -> u32 {
    let counted = region.get(..11 * sector).unwrap_or(region);
    let counted = counted.iter().enumerate();
    let counted = counted.filter(|(at, _)| !matches!(at, 106 | 107 | 112));
    counted.fold(0, |sum: u32, (_, byte)| {
        sum.rotate_right(1).wrapping_add(u32::from(*byte))
    })
}

fn region_is_good(region: &[u8], sector: usize) -> bool {
    let sum = region_sum(region, sector).to_le_bytes();
    let last = region.get(11 * sector..).unwrap_or(&[]);
    !last.is_empty() && last.chunks(4).all(|four| four == sum)
}

fn exfat(disk: &mut Disk<'_>, volume: &Volume, boot: &[u8], report: &mut Report) {
    let (start, sector) = (volume.start, volume.sector as usize);
    let length = REGION * u64::from(volume.sector);
    let main = disk.bytes(start, length as usize);
    let copy = disk.bytes(start + length, length as usize);
    let (good, copy_good) = (region_is_good(&main, sector), region_is_good(&copy, sector));
    if !good && copy_good {
        let edit = Edit::Copy {
            from: start + length,
            to: start,
            length,
        };
        report.add(Finding::new(Kind::BootChecksum, "the backup's is right").edit(edit));
    } else if !good {
        let sum = region_sum(&main, sector).to_le_bytes();
        let edit = Edit::bytes(
            start + length - u64::from(volume.sector),
            sum.repeat(sector / 4),
        );
        let finding = Finding::new(Kind::BootChecksum, "also the backup's");
        report.add(finding.fix(Loss::Guess, "set the checksum", vec![edit]));
    } else {
        let (mut one, mut two) = (main, copy);
        for bytes in [&mut one, &mut two] {
            put(bytes, 106, &[0; 2]);
            put(bytes, 112, &[0]);
        }
        if one != two {
            let edit = Edit::Copy {
                from: start,
                to: start + length,
                length,
            };
            report.add(Finding::new(Kind::BootBackup, "sectors 12 to 23 of the volume").edit(edit));
        }
    }
    let flags = u16_at(boot, 106);
    if flags & 4 != 0 {
        let edit = Edit::bytes(start + 106, (flags & !6).to_le_bytes());
        report.add(Finding::new(Kind::HardErrors, "in the boot sector").edit(edit));
    } else if flags & 2 != 0 {
        let edit = Edit::bytes(start + 106, (flags & !2).to_le_bytes());
        report.add(Finding::new(Kind::Dirty, "in the boot sector").edit(edit));
    }
    let percent = u8_at(boot, 112);
    if percent > 100 && percent != 0xFF {
        let finding = Finding::new(Kind::PercentInUse, format!("{percent} %"));
        report.add(finding.edit(Edit::bytes(start + 112, [0xFF])));
    }
    let version = u16_at(boot, 104);
    let sectors = u64_at(boot, 72);
    let wrong = match () {
        () if version != 0x100 => {
            Some(format!("version {:x}.{:02x}", version >> 8, version & 0xFF))
        }
        () if volume.fats != 1 => Some(format!("{} allocation tables", volume.fats)),
        () if sectors >= 1 << 32 => Some(format!("{sectors} sectors")),
        () => None,
    };
    if let Some(detail) = wrong {
        report.add(Finding::new(Kind::CameraExfat, detail));
    }
}

fn size(disk: &Disk<'_>, volume: &Volume, part: &Part, report: &mut Report) {
    let end = volume.end();
    if end > disk.size() {
        let detail = format!(
            "{} of {} bytes are there",
            disk.size() - volume.start.min(disk.size()),
            volume.size
        );
        report.add(Finding::new(Kind::CutShort, detail));
    } else if let How::Primary { at, .. } = part.how
        && volume.size > part.length
    {
        let sectors = (volume.size / disk.sector().max(512)) as u32;
        let detail = format!("{} bytes in a partition of {}", volume.size, part.length);
        let edit = Edit::bytes(at + 12, sectors.to_le_bytes());
        report.add(Finding::new(Kind::VolumeSize, detail).edit(edit));
    }
}

/// Looks for exFAT's bitmap, which is named in the root.
pub(crate) fn find_bitmap(disk: &mut Disk<'_>, volume: &mut Volume) {
    let clusters =
        crate::read::clusters_of(disk, volume, volume.root, Some(volume.need(1 << 20)), false);
    let pieces: Vec<_> = clusters
        .iter()
        .map(|one| (volume.at(*one), u64::from(volume.cluster)))
        .collect();
    let (found, _) = records(disk, volume, None, &pieces);
    volume.bitmap = found.into_iter().find_map(|record| match record {
        Record::Bitmap { first, size, .. } if bitmap_fits(volume, first, size) => {
            Some((first, size))
        }
        _ => None,
    });
}

/// Whether a bitmap of that length can be there. It has to lie in one piece.
pub(crate) fn bitmap_fits(volume: &Volume, first: u32, size: u64) -> bool {
    let clusters = volume.need(size);
    let last = u64::from(first) + clusters.saturating_sub(1);
    size == u64::from(volume.clusters.div_ceil(8))
        && volume.has(first)
        && last < u64::from(volume.limit())
}
