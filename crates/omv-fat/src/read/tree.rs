//! The files of a volume, read as they are: for whoever wants them out, and not to judge them.

use super::{Node, Record, records};
use crate::bits::Bits;
use crate::boot;
use crate::disk::Disk;
use crate::table::{END, Table};
use crate::{Sectors, Volume, name, partition};

/// Clusters of one chain that are held at a time.
const CHAIN_LIMIT: usize = 1 << 22;

/// The clusters of a chain, as far as it makes sense and no further than `need`.
pub(crate) fn clusters_of(
    disk: &mut Disk<'_>,
    volume: &Volume,
    first: u32,
    need: Option<u64>,
    contiguous: bool,
) -> Vec<u32> {
    let mut table = Table::new(volume);
    let most = need.unwrap_or(u64::MAX).min(u64::from(volume.clusters));
    let most = most.min(CHAIN_LIMIT as u64) as usize;
    let mut clusters = Vec::new();
    let mut cluster = first;
    // A loop cannot be longer than the volume has clusters; for directories it is cut below.
    while volume.has(cluster) && clusters.len() < most {
        clusters.push(cluster);
        cluster = if contiguous {
            cluster + 1
        } else {
            table.get(disk, cluster)
        };
        if cluster == END {
            break;
        }
    }
    clusters
}

/// A file or directory that can be copied out.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The parts of its path, made safe for any computer.
    pub path: Vec<String>,
    /// The same as it stands on the disk, cleaned of control characters.
    pub shown: String,
    /// Whether it is a directory.
    pub directory: bool,
    /// Its length in bytes.
    pub size: u64,
    first: u32,
    contiguous: bool,
}

/// A volume whose files are read.
pub struct Walk<'a> {
    disk: Disk<'a>,
    volume: Volume,
    entries: Vec<Entry>,
}

/// Directories deeper than this, and entries more than that, are left out.
const DEPTH: usize = 64;
const ENTRIES: usize = 1 << 20;

/// Lists a volume's files: the one that begins at a byte, or the first there is.
pub fn walk(device: &mut dyn Sectors, start: Option<u64>) -> Option<Walk<'_>> {
    let mut disk = Disk::new(device);
    let start = match start {
        Some(start) => start,
        None => partition::first(&mut disk)?,
    };
    let mut volume = boot::shape(&mut disk, start)?;
    if volume.is_exfat() {
        boot::find_bitmap(&mut disk, &mut volume);
    }
    let mut entries = Vec::new();
    let mut seen = Bits::new(volume.limit());
    let mut left: Vec<(Vec<String>, String, u32, u64, bool)> = Vec::new();
    left.push((Vec::new(), String::new(), volume.root, 0, false));
    let mut root = true;
    while let Some((path, shown, first, size, contiguous)) = left.pop() {
        let pieces = pieces(&mut disk, &volume, first, size, contiguous, root, &mut seen);
        root = false;
        let (found, _) = records(&mut disk, &volume, None, &pieces);
        let mut names = std::collections::HashSet::new();
        for record in found {
            let Record::Node(node) = record else {
                continue;
            };
            if entries.len() >= ENTRIES {
                break;
            }
            let mut path = path.clone();
            path.push(unused(&node, &mut names));
            let shown = format!("{shown}/{}", node.name);
            if node.dir && path.len() < DEPTH {
                left.push((
                    path.clone(),
                    shown.clone(),
                    node.first,
                    node.size,
                    node.contiguous,
                ));
            }
            entries.push(Entry {
                path,
                shown,
                directory: node.dir,
                size: if node.dir { 0 } else { node.size },
                first: node.first,
                contiguous: node.contiguous,
            });
        }
    }
    Some(Walk {
        disk,
        volume,
        entries,
    })
}

/// A safe name that no entry of this directory got yet.
fn unused(node: &Node, names: &mut std::collections::HashSet<String>) -> String {
    let safe = name::safe(&node.name);
    let mut name = safe.clone();
    let mut number = 2;
    while !names.insert(name.to_lowercase()) {
        name = format!("{number}_{safe}");
        number += 1;
    }
    name
}

/// Where a directory's bytes are, each cluster once in all.
fn pieces(
    disk: &mut Disk<'_>,
    volume: &Volume,
    first: u32,
    size: u64,
    contiguous: bool,
    root: bool,
    seen: &mut Bits,
) -> Vec<(u64, u64)> {
    if root && volume.root == 0 {
        return vec![(volume.root_at, u64::from(volume.root_entries) * 32)];
    }
    // A directory is at most 256 MiB long. No cluster is read twice, by whatever way it is met.
    let need = if size > 0 {
        volume.need(size)
    } else {
        u64::MAX
    };
    let most = need.min(volume.need(256 << 20).max(1));
    let mut table = Table::new(volume);
    let mut pieces = Vec::new();
    let mut cluster = first;
    while volume.has(cluster) && (pieces.len() as u64) < most && seen.add(cluster) {
        pieces.push((volume.at(cluster), u64::from(volume.cluster)));
        cluster = if contiguous {
            cluster + 1
        } else {
            table.get(disk, cluster)
        };
    }
    pieces
}

impl Walk<'_> {
    /// The volume.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Everything on it, a directory before what is in it.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Reads a file piece by piece. Says how many bytes there were, and how many of them could not
    /// be read and are zeros.
    pub fn read(&mut self, entry: &Entry, mut each: impl FnMut(&[u8]) -> bool) -> (u64, u64) {
        let need = self.volume.need(entry.size);
        let mut table = Table::new(&self.volume);
        let (mut done, mut lost, mut cluster) = (0_u64, 0_u64, entry.first);
        let mut buffer = vec![0; self.volume.cluster as usize];
        let mut count = 0;
        while self.volume.has(cluster) && count < need.min(u64::from(self.volume.clusters)) {
            let length = (entry.size - done).min(buffer.len() as u64) as usize;
            if !self
                .disk
                .read(self.volume.at(cluster), &mut buffer[..length])
            {
                lost += length as u64;
            }
            done += length as u64;
            if !each(&buffer[..length]) {
                break;
            }
            count += 1;
            cluster = if entry.contiguous {
                cluster + 1
            } else {
                table.get(&mut self.disk, cluster)
            };
        }
        (done, lost)
    }
}
