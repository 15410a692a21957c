//! A planned change: sectors in their order, what they held before, and how it is mended.

use std::collections::BTreeMap;

use crate::partition::crc32;
use crate::{Fault, Sectors};

/// Which part of a change a write belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Content, where nobody looks yet.
    Data,
    /// Clusters are taken.
    Claim,
    /// The directory says so.
    Commit,
    /// What is no longer used is free.
    Release,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Data, Self::Claim, Self::Commit, Self::Release];
}

/// One sector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectorWrite {
    /// When.
    pub phase: Phase,
    /// Which, from the beginning of the disk.
    pub sector: u64,
    /// What it held.
    pub before: Vec<u8>,
    /// What it shall hold.
    pub after: Vec<u8>,
}

/// All writes of a change, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Bytes of a sector.
    pub sector_size: u32,
    /// The writes. A phase is on the medium before the next one begins.
    pub writes: Vec<SectorWrite>,
}

/// What was made of a change that was broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Everything is as before the change.
    Undone,
    /// Everything is as the change wanted it.
    Completed,
    /// Somebody else has written since: nothing was touched.
    Foreign,
}

/// What a note of a change begins with.
const MAGIC: &[u8; 8] = b"OMVCHG01";
/// Sectors a note holds at most.
const MOST: usize = 1 << 18;

impl Change {
    /// As bytes, for whoever keeps it until it is done.
    ///
    /// `"OMVCHG01" | sector size u32 | count u32 | count * (phase u8, sector u64, before, after) |
    /// CRC-32`, all little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.sector_size.to_le_bytes());
        bytes.extend((self.writes.len() as u32).to_le_bytes());
        for write in &self.writes {
            bytes.push(write.phase as u8);
            bytes.extend(write.sector.to_le_bytes());
            bytes.extend(&write.before);
            bytes.extend(&write.after);
        }
        bytes.extend(crc32(&bytes).to_le_bytes());
        bytes
    }

    /// Reads a note. One that is not whole is none: then nothing was written to the disk yet.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        if crc32(body) != u32::from_le_bytes(*sum) {
            return None;
        }
        let rest = body.strip_prefix(MAGIC)?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (count, mut rest) = rest.split_first_chunk::<4>()?;
        let (sector_size, count) = (u32::from_le_bytes(*size), u32::from_le_bytes(*count));
        let size = sector_size as usize;
        if !(512..=4096).contains(&size) || count as usize > MOST {
            return None;
        }
        let mut writes = Vec::new();
        for _ in 0..count {
            let (phase, after) = rest.split_first()?;
            let phase = Phase::ALL.into_iter().find(|one| *one as u8 == *phase)?;
            let (sector, after) = after.split_first_chunk::<8>()?;
            let (before, after) = after.split_at_checked(size)?;
            let (content, after) = after.split_at_checked(size)?;
            writes.push(SectorWrite {
                phase,
                sector: u64::from_le_bytes(*sector),
                before: before.to_vec(),
                after: content.to_vec(),
            });
            rest = after;
        }
        rest.is_empty().then_some(Self {
            sector_size,
            writes,
        })
    }

    /// Does it, phase by phase.
    ///
    /// # Errors
    /// [`Fault`]; then [`recover`](Self::recover) is next.
    pub fn apply(&self, device: &mut dyn Sectors) -> Result<(), Fault> {
        for phase in Phase::ALL {
            self.apply_phase(device, phase)?;
        }
        Ok(())
    }

    /// Does one phase and brings it to the medium.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn apply_phase(&self, device: &mut dyn Sectors, phase: Phase) -> Result<(), Fault> {
        let mut any = false;
        for write in self.writes.iter().filter(|write| write.phase == phase) {
            device.write(write.sector, &write.after)?;
            any = true;
        }
        match any {
            true => device.flush(),
            false => Ok(()),
        }
    }

    /// The sectors of one phase that do not hold what was written to them.
    ///
    /// # Errors
    /// [`Fault`] when one cannot be read.
    pub fn differing(&self, device: &mut dyn Sectors, phase: Phase) -> Result<Vec<u64>, Fault> {
        let mut differing = Vec::new();
        for write in self.writes.iter().filter(|write| write.phase == phase) {
            let mut now = vec![0; write.after.len()];
            device.read(write.sector, &mut now)?;
            if now != write.after {
                differing.push(write.sector);
            }
        }
        Ok(differing)
    }

    /// What the sectors of table and directory held before, and will hold in the end.
    fn ends(&self) -> BTreeMap<u64, (&[u8], &[u8])> {
        let mut ends: BTreeMap<u64, (&[u8], &[u8])> = BTreeMap::new();
        for write in self.writes.iter().filter(|one| one.phase != Phase::Data) {
            ends.entry(write.sector)
                .and_modify(|(_, after)| *after = &write.after)
                .or_insert((&write.before, &write.after));
        }
        ends
    }

    /// Mends what a cut has left of this change: table and directory become what they were, or,
    /// when the directory was written already, what they shall be. A sector that was being written
    /// when the power failed may hold anything in between and is put right; one that somebody else
    /// has written since is not touched, and nothing else either.
    ///
    /// # Errors
    /// [`Fault`] when the disk fails; nothing was lost, and it can be tried again.
    pub fn recover(&self, device: &mut dyn Sectors) -> Result<Recovery, Fault> {
        let mut now = BTreeMap::new();
        for sector in self.writes.iter().map(|write| write.sector) {
            let mut bytes = vec![0; self.sector_size as usize];
            device.read(sector, &mut bytes)?;
            now.insert(sector, bytes);
        }
        let holds = |write: &SectorWrite| now.get(&write.sector) == Some(&write.after);
        for (sector, bytes) in &now {
            if !self.is_ours(*sector, bytes) {
                return Ok(Recovery::Foreign);
            }
        }
        let committed = self
            .writes
            .iter()
            .filter(|write| write.phase == Phase::Commit || write.phase == Phase::Data)
            .all(holds);
        for (sector, (before, after)) in self.ends() {
            let wanted = if committed { after } else { before };
            if now.get(&sector).map(Vec::as_slice) != Some(wanted) {
                device.write(sector, wanted)?;
            }
        }
        device.flush()?;
        Ok(match committed {
            true => Recovery::Completed,
            false => Recovery::Undone,
        })
    }

    /// Whether a sector holds what one of the steps leaves there, or what a cut leaves of one.
    fn is_ours(&self, sector: u64, bytes: &[u8]) -> bool {
        let tears = self.sector_size >= TEARING;
        self.writes
            .iter()
            .filter(|write| write.sector == sector)
            .any(|write| {
                let stands = bytes == write.before || bytes == write.after;
                // Where content goes was free: whatever is there now is nobody's.
                stands || write.phase == Phase::Data || (tears && is_torn(write, bytes))
            })
    }
}

/// Sectors of this size are those of a flash, handed out as they are erased. Cards have smaller
/// ones and write them whole or not at all.
const TEARING: u32 = 4096;

/// Bytes of a directory entry.
const SLOT: usize = 32;
/// Entries of the file by which computers know a camera's disk. A camera that starts and does not
/// find it, because the sector is torn, enters it again: into the torn sector.
const MARKER: usize = 2;

/// Whether this can be a sector of flash whose erase or whose writing was cut off: an erase turns
/// bits of the old content to 1, and after it writing turns those to 0 that are 0 in the new one.
/// A sector that is whole but for entries is none: somebody has entered a file.
fn is_torn(write: &SectorWrite, bytes: &[u8]) -> bool {
    let holds = |content: &[u8]| {
        let (mut odd, mut entered, mut torn) = (0, 0, 0);
        let ends = write.before.chunks(SLOT).zip(write.after.chunks(SLOT));
        let slots = content.chunks(SLOT).zip(bytes.chunks(SLOT));
        for ((wanted, now), (before, after)) in slots.zip(ends) {
            let mut pairs = wanted.iter().zip(now);
            let fits = pairs.all(|(wanted, now)| now & wanted == *wanted);
            if !fits {
                odd += 1;
            } else if is_entered(wanted, now) {
                entered += 1;
            } else if now != before && now != after {
                torn += 1;
            }
        }
        odd <= MARKER && (odd + entered == 0 || torn > 0)
    };
    holds(&write.before) || holds(&write.after)
}

/// Whether an entry stands where there was none. Into zeros every entry fits as if an erase had
/// made it of them. Among the many that an erase leaves some look like names, but never all.
fn is_entered(wanted: &[u8], now: &[u8]) -> bool {
    if now.len() != SLOT || wanted.iter().any(|byte| *byte != 0) {
        return false;
    }
    match now[11] {
        // A piece of a long name: its number, its kind, and no cluster.
        0x0F => (1..=20).contains(&(now[0] & 0x3F)) && [now[12], now[26], now[27]] == [0; 3],
        attributes => {
            let is_name = |byte: &u8| (0x20..0xFF).contains(byte);
            attributes & 0xC0 == 0 && now[..11].iter().all(is_name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = TEARING as usize;

    fn entry(name: &[u8; 11], size: u8) -> [u8; SLOT] {
        let mut slot = [0; SLOT];
        slot[..11].copy_from_slice(name);
        slot[11] = 0x20;
        slot[28] = size;
        slot
    }

    fn sector(entries: &[[u8; SLOT]]) -> Vec<u8> {
        let mut bytes = entries.concat();
        bytes.resize(SIZE, 0);
        bytes
    }

    #[test]
    fn an_entry_in_a_sector_that_is_whole_is_somebody_elses_and_no_tear() {
        let (main, log) = (b"MAIN    PY ", entry(b"LOG     TXT", 0));
        let mut long = [0xFF; SLOT];
        (long[0], long[11], long[12]) = (0x41, 0x0F, 0);
        long[26..28].fill(0);
        // The second size has all bits of the first: also what is new can pass for a tear.
        for (old, new) in [(9, 4), (0, 4)] {
            let (before, after) = (sector(&[entry(main, old)]), sector(&[entry(main, new)]));
            let change = Change {
                sector_size: TEARING,
                writes: vec![SectorWrite {
                    phase: Phase::Commit,
                    sector: 7,
                    before: before.clone(),
                    after: after.clone(),
                }],
            };
            assert!(change.is_ours(7, &before) && change.is_ours(7, &after));
            for size in [old, new] {
                let main = entry(main, size);
                assert!(!change.is_ours(7, &sector(&[main, log])));
                assert!(!change.is_ours(7, &sector(&[main, long, log])));
                assert!(!change.is_ours(7, &sector(&[main, log, long, log])));
                // Cells that were not written to the end are a tear, with the marker or without.
                for length in [1, 11, 12, 16, SLOT, 40 * SLOT] {
                    let mut torn = sector(&[main]);
                    torn[SIZE - length..].fill(0xFF);
                    assert!(change.is_ours(7, &torn), "{length}");
                    torn[SLOT..2 * SLOT].copy_from_slice(&long);
                    torn[2 * SLOT..3 * SLOT].copy_from_slice(&log);
                    assert!(change.is_ours(7, &torn), "{length}");
                }
                for length in [11, 12, 16, SLOT] {
                    let mut torn = sector(&[main]);
                    torn[SLOT * 5..][..length].fill(0xFF);
                    assert!(change.is_ours(7, &torn), "{length}");
                }
            }
        }
    }
}
