//! Room, and the sector in which FAT32 keeps count of it.
//!
//! The camera believes the count when the signatures are right. A count of 0 makes it refuse
//! every write on an almost empty card, while a PC counts for itself.

use super::fats::Used;
use super::walk::Look;
use crate::bytes::{put, u32_at};
use crate::{Edit, Finding, Kind};

const HEAD: u32 = 0x4161_5252;
const BODY: u32 = 0x6141_7272;
const TAIL: u32 = 0xAA55_0000;
const UNKNOWN: u32 = u32::MAX;

pub(super) fn judge(look: &mut Look<'_, '_>, used: &Used) {
    let taken = used.bits.count();
    let free = look
        .volume
        .clusters
        .saturating_sub(taken)
        .saturating_sub(used.bad);
    look.seen.free = free;
    if free == 0 {
        let detail = format!("{} clusters", look.volume.clusters);
        look.add(Finding::new(Kind::Full, detail));
    }
    if look.volume.root == 0 && look.root_free == 0 {
        let detail = format!("{} entries", look.volume.root_entries);
        look.add(Finding::new(Kind::RootFull, detail));
    }
    let Some(number) = look.volume.info else {
        return;
    };
    let at = look.volume.start + number * u64::from(look.volume.sector);
    let mut info = look.disk.bytes(at, 512);
    let signed =
        u32_at(&info, 0) == HEAD && u32_at(&info, 484) == BODY && u32_at(&info, 508) == TAIL;
    let (count, next) = (u32_at(&info, 488), u32_at(&info, 492));
    if !signed {
        put(&mut info, 0, &HEAD.to_le_bytes());
        put(&mut info, 484, &BODY.to_le_bytes());
        put(&mut info, 488, &free.to_le_bytes());
        put(&mut info, 492, &UNKNOWN.to_le_bytes());
        put(&mut info, 508, &TAIL.to_le_bytes());
        let finding = Finding::new(
            Kind::InfoSignature,
            format!("sector {number} of the volume"),
        );
        look.add(finding.edit(Edit::bytes(at, info)));
        return;
    }
    let edit = Edit::bytes(at + 488, free.to_le_bytes());
    if count == 0 && free > 0 {
        let finding = Finding::new(Kind::InfoFreeZero, format!("{free} clusters are free"));
        look.add(finding.edit(edit));
    } else if count != UNKNOWN && count != free {
        let finding = Finding::new(Kind::InfoFree, format!("{count}, counted {free}"));
        look.add(finding.edit(edit));
    }
    if next != UNKNOWN && next != 0 && !look.volume.has(next) {
        let finding = Finding::new(Kind::InfoNext, format!("cluster {next}"));
        look.add(finding.edit(Edit::bytes(at + 492, UNKNOWN.to_le_bytes())));
    }
}
