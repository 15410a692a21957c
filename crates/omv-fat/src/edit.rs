//! The few things a repair does to a disk, each small enough to be printed.

use crate::disk::Disk;
use crate::table::Table;
use crate::{Fault, Volume};

/// One change. Addresses are bytes from the beginning of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Bytes at a place.
    Bytes {
        /// Where.
        at: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// An entry of the allocation table, in every copy, the one the camera reads first.
    Link {
        /// Of which cluster.
        cluster: u32,
        /// Its raw value: the next cluster, 0 or an end mark.
        value: u32,
    },
    /// A cluster's bit in exFAT's bitmap.
    Mark {
        /// Which cluster.
        cluster: u32,
        /// Whether it is in use.
        used: bool,
    },
    /// A piece of the disk copied to another place.
    Copy {
        /// From where.
        from: u64,
        /// To where.
        to: u64,
        /// How much.
        length: u64,
    },
}

impl Edit {
    pub(crate) fn bytes(at: u64, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::Bytes { at, bytes }
    }

    /// Does it.
    pub(crate) fn apply(&self, disk: &mut Disk<'_>, volume: Option<&Volume>) -> Result<(), Fault> {
        match self {
            Self::Bytes { at, bytes } => disk.write(*at, bytes),
            Self::Copy { from, to, length } => {
                let mut done = 0;
                while done < *length {
                    let piece = (length - done).min(64 << 10);
                    let bytes = disk.bytes(from + done, piece as usize);
                    disk.write(to + done, &bytes)?;
                    done += piece;
                }
                Ok(())
            }
            Self::Link { cluster, value } => match volume {
                Some(volume) => Table::new(volume).set(disk, *cluster, *value),
                None => Ok(()),
            },
            Self::Mark { cluster, used } => {
                let Some(place) = volume.and_then(|volume| volume.bit(*cluster)) else {
                    return Ok(());
                };
                let (at, bit) = place;
                let old = disk.bytes(at, 1)[0];
                let new = if *used {
                    old | 1 << bit
                } else {
                    old & !(1 << bit)
                };
                disk.write(at, &[new])
            }
        }
    }
}
