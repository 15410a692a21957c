//! The allocation table by itself: its first two entries, its copies, what is in use.

use super::walk::Look;
use crate::bits::Bits;
use crate::disk::Disk;
use crate::table::{BAD, END};
use crate::{Edit, Finding, Form, Kind, Loss, Volume};

/// Sectors of the table for which the better copy is found out one by one.
pub(super) const TRIED: usize = 24;

/// What the table or exFAT's bitmap says about clusters.
pub(super) struct Used {
    /// In use; those marked bad are not among them.
    pub bits: Bits,
    pub bad: u32,
}

impl Look<'_, '_> {
    /// The two entries that belong to no cluster.
    pub fn first_entries(&mut self) {
        let volume = self.volume.clone();
        let (zero, one) = (self.table.raw(self.disk, 0), self.table.raw(self.disk, 1));
        let mask = match volume.form {
            Form::Fat12 => 0xFFF,
            Form::Fat16 => 0xFFFF,
            Form::Fat32 => 0x0FFF_FFFF,
            Form::Exfat => 0xFFFF_FFFF,
        };
        let wanted = mask & (0xFFFF_FF00 | u32::from(volume.media));
        if zero != wanted {
            let detail = format!("{zero:X} where {wanted:X} must be");
            let edit = Edit::Link {
                cluster: 0,
                value: wanted,
            };
            self.add(Finding::new(Kind::MediaByte, detail).edit(edit));
        }
        // Where the table has marks, Windows clears them while it writes.
        let (clean, whole) = match volume.form {
            Form::Fat16 => (0x8000, 0x4000),
            Form::Fat32 => (0x0800_0000, 0x0400_0000),
            _ => (0, 0),
        };
        let full = one | clean | whole;
        if full < (mask & 0xFFFF_FFF8) {
            let edit = Edit::Link {
                cluster: 1,
                value: mask,
            };
            self.add(Finding::new(Kind::EndMark, format!("{one:X}")).edit(edit));
            return;
        }
        let edit = Edit::Link {
            cluster: 1,
            value: one | clean | whole,
        };
        if one & whole != whole {
            self.add(Finding::new(Kind::HardErrors, "in the table").edit(edit));
        } else if one & clean != clean {
            self.add(Finding::new(Kind::Dirty, "in the table").edit(edit));
        }
    }

    /// Whether the second copy says the same as the first.
    pub fn copies(&mut self) {
        let mirrored = self.volume.form != Form::Fat32 || self.volume.flags & 0x80 == 0;
        if self.volume.is_exfat() || !mirrored {
            return;
        }
        let sector = u64::from(self.volume.sector);
        let (named, count) = self.table.differences(self.disk, sector, TRIED + 1);
        if count == 0 {
            return;
        }
        let detail = format!("in {count} of {} sectors", self.volume.fat_bytes / sector);
        let mut finding = Finding::new(Kind::FatsDiffer, detail);
        // Which copy is better, only trying tells; the repair does. This is its question.
        let (fat, length) = (self.volume.fat, self.volume.fat_bytes);
        if named.len() <= TRIED {
            for offset in named {
                finding.edits.push(Edit::Copy {
                    from: fat + offset,
                    to: fat + length + offset,
                    length: sector,
                });
            }
        } else {
            finding.edits.push(Edit::Copy {
                from: fat,
                to: fat + length,
                length,
            });
        }
        finding.loss = Loss::Guess;
        self.add(finding);
    }

    /// Reads the table once.
    pub fn used(&mut self) -> Used {
        let mut bits = Bits::new(self.volume.limit());
        let mut bad = 0;
        if self.volume.is_exfat() {
            bitmap(self.disk, &self.volume, &mut bits);
            return Used { bits, bad };
        }
        self.table.scan(self.disk, |cluster, value| match value {
            0 => {}
            BAD => bad += 1,
            _ => {
                bits.add(cluster);
            }
        });
        Used { bits, bad }
    }

    /// Clusters in use that some cluster in use leads to.
    pub fn pointed(&mut self, lost: &Bits) -> Bits {
        let mut pointed = Bits::new(self.volume.limit());
        self.table.scan(self.disk, |cluster, value| {
            if value != END && value != BAD && value > 1 && lost.has(cluster) && lost.has(value) {
                pointed.add(value);
            }
        });
        pointed
    }
}

/// exFAT's bitmap, as a set.
fn bitmap(disk: &mut Disk<'_>, volume: &Volume, bits: &mut Bits) {
    let Some((first, size)) = volume.bitmap else {
        return;
    };
    let mut buffer = vec![0; 64 << 10];
    let (mut done, start) = (0_u64, volume.at(first));
    while done < size {
        let length = (size - done).min(buffer.len() as u64) as usize;
        disk.read(start + done, &mut buffer[..length]);
        for (at, byte) in buffer[..length]
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte != 0)
        {
            for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
                bits.add(((done + at as u64) * 8 + bit) as u32 + 2);
            }
        }
        done += length as u64;
    }
}
