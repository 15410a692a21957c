//! Putting a file on a FAT volume so that a power cut leaves the old one or the new one.
//!
//! ```text
//!  data     the content, into clusters nobody uses        cut: nothing happened
//!  claim    their chain, into the table; the old one stays cut: clusters are lost, no file
//!  commit   the directory entry: one sector               cut: the old file or the new one
//!  release  the old chain, the count of free clusters      cut: clusters are lost, no file
//! ```
//!
//! File systems offer no such step; whoever writes the sectors does. On a card, which writes a
//! sector or does not, nothing else is needed. On a flash without that promise the sectors that
//! hold table and directory can be torn: [`Change::recover`] puts them back, from what the plan
//! remembers of them.

mod change;
mod entry;

pub use change::{Change, Phase, Recovery, SectorWrite};

use std::collections::BTreeSet;

use crate::bytes::{put, u32_at};
use crate::disk::Disk;
use crate::read::{Node, Record, clusters_of, records};
use crate::table::Table;
use crate::{Fault, Overlay, Sectors, Volume, boot, partition};
use entry::{Place, Slots};

/// Why a file cannot be put on a disk, or taken from it. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no volume that can be read.
    #[error("there is no file system on the disk")]
    NoVolume,
    /// Writing to exFAT is left to the camera and to the computer.
    #[error("the disk has exFAT")]
    Exfat,
    /// A folder of the path does not exist.
    #[error("there is no folder {0}")]
    NoFolder(String),
    /// There is no such file.
    #[error("there is no {0}")]
    Missing(String),
    /// A folder has that name, or a file has the name of a folder on the way.
    #[error("{0} is in the way")]
    InTheWay(String),
    /// A folder that is not empty.
    #[error("{0} is not empty")]
    NotEmpty(String),
    /// The name cannot stand in a directory.
    #[error("{0:?} cannot be a name on this disk")]
    BadName(String),
    /// There is no room.
    #[error("{need} bytes are needed and {free} are free")]
    Full {
        /// Bytes needed.
        need: u64,
        /// Bytes free.
        free: u64,
    },
    /// The root has a fixed number of entries, and all are in use.
    #[error("the root has no entry left for another file")]
    RootFull,
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] Fault),
}

impl Refusal {
    /// Stable name: in JSON and in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoVolume => "disk-no-volume",
            Self::Exfat => "disk-exfat",
            Self::NoFolder(_) => "disk-no-folder",
            Self::Missing(_) => "disk-no-file",
            Self::InTheWay(_) => "disk-in-the-way",
            Self::NotEmpty(_) => "disk-not-empty",
            Self::BadName(_) => "disk-bad-name",
            Self::Full { .. } => "disk-full",
            Self::RootFull => "disk-root-full",
            Self::Disk(fault) => fault.code(),
        }
    }

    /// One thing a person can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoVolume => {
                "Check the disk; if it holds nothing of yours, format it. Do not reset the camera \
                 before: it would format its internal disk by itself."
            }
            Self::Exfat => "Copy the file with the computer, or format the card as FAT32.",
            Self::NoFolder(_) => "Make the folder first.",
            Self::Missing(_) => "List the disk to see what is there.",
            Self::InTheWay(_) => "Choose another name, or remove what has this one.",
            Self::NotEmpty(_) => "Remove what is in it first.",
            Self::BadName(_) => {
                "Leave out \" * / : < > ? \\ | and control characters, and a dot or space at the end."
            }
            Self::Full { .. } => "Remove files that are not needed from the disk.",
            Self::RootFull => "Put files into folders: only the root is limited.",
            Self::Disk(fault) => fault.help(),
        }
    }
}

/// Plans a file of this content at a path, in place of the one that is there if there is one.
/// `stamp` is FAT's moment, the date in the upper half.
///
/// # Errors
/// [`Refusal`]; nothing is written here in any case.
pub fn store(
    device: &mut dyn Sectors,
    path: &str,
    content: &[u8],
    stamp: u32,
) -> Result<Change, Refusal> {
    let mut work = Work::new(device)?;
    let (folder, name) = work.folder_of(path)?;
    let old = work.find(&folder, name)?;
    if old.as_ref().is_some_and(|node| node.dir) {
        return Err(Refusal::InTheWay(path.to_owned()));
    }
    let clusters = work.free(content.len() as u64)?;
    work.fill(&clusters, content)?;
    let slots = match &old {
        Some(_) => None,
        None => Some(work.slots(&folder, name)?),
    };
    work.end_phase(Phase::Data);
    work.chain(&clusters)?;
    if let Some(slots) = &slots {
        work.prepare(slots)?;
    }
    work.end_phase(Phase::Claim);
    let first = clusters.first().copied().unwrap_or(0);
    let place = Place {
        first,
        size: content.len() as u32,
        stamp,
        folder: false,
    };
    match (&old, &slots) {
        (Some(node), _) => work.change(node, place)?,
        (None, Some(slots)) => work.enter(slots, name, place)?,
        (None, None) => {}
    }
    work.end_phase(Phase::Commit);
    let freed = match &old {
        Some(node) => work.release(node)?,
        None => 0,
    };
    work.count(clusters.len() as u32, freed)?;
    work.end_phase(Phase::Release);
    Ok(work.finish())
}

/// Plans that a file is no more, or a folder that is empty.
///
/// # Errors
/// [`Refusal`].
pub fn remove(device: &mut dyn Sectors, path: &str) -> Result<Change, Refusal> {
    let mut work = Work::new(device)?;
    let (folder, name) = work.folder_of(path)?;
    let node = work.find(&folder, name)?;
    let node = node.ok_or_else(|| Refusal::Missing(path.to_owned()))?;
    if node.dir {
        let inside = work.pieces(node.first);
        let nodes = work.nodes(&inside);
        if !nodes.is_empty() {
            return Err(Refusal::NotEmpty(path.to_owned()));
        }
    }
    // The short entry first: without it the parts of a long name are nobody's, and with it the
    // file is whole.
    for slot in node.slots.iter().rev() {
        work.edit(*slot, &[0xE5])?;
    }
    work.end_phase(Phase::Commit);
    // A cut in a camera's rename leaves one file under two names.
    let pieces = work.pieces(folder);
    let is_shared = node.first != 0
        && work
            .nodes(&pieces)
            .iter()
            .any(|other| other.first == node.first);
    let freed = match is_shared {
        true => 0,
        false => work.release(&node)?,
    };
    work.count(0, freed)?;
    work.end_phase(Phase::Release);
    Ok(work.finish())
}

/// Plans that a file keeps its content and gets another ending, so that a camera does not start it;
/// and what it is called then. Its entry alone is changed: one sector, or two where a long name
/// lies across.
///
/// # Errors
/// [`Refusal`]; [`Refusal::InTheWay`] when ten files were set aside before.
pub fn set_aside(device: &mut dyn Sectors, path: &str) -> Result<(Change, String), Refusal> {
    let mut work = Work::new(device)?;
    let (folder, name) = work.folder_of(path)?;
    let node = work.find(&folder, name)?;
    let node = node.ok_or_else(|| Refusal::Missing(path.to_owned()))?;
    let pieces = work.pieces(folder);
    let taken: Vec<[u8; 11]> = work
        .nodes(&pieces)
        .iter()
        .map(|other| other.short)
        .collect();
    let mut names = (0..10_u8).map(|number| {
        let mut short = node.short;
        let digit = if number == 0 { b'K' } else { b'0' + number };
        put(&mut short, 8, &[b'B', b'A', digit]);
        short
    });
    let short = names.find(|short| !taken.contains(short));
    let short = short.ok_or_else(|| Refusal::InTheWay(path.to_owned()))?;
    // The short entry first: the parts of a long name are nobody's without it.
    for (number, slot) in node.slots.iter().rev().enumerate() {
        match number {
            0 => work.edit(*slot, &short)?,
            _ => work.edit(*slot, &[0xE5])?,
        }
    }
    work.end_phase(Phase::Commit);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (stem, ending) = short.split_at(8);
    let called = format!("{}.{}", shown(stem), shown(ending));
    Ok((work.finish(), called))
}

/// Plans an empty folder.
///
/// # Errors
/// [`Refusal`].
pub fn make_folder(device: &mut dyn Sectors, path: &str, stamp: u32) -> Result<Change, Refusal> {
    let mut work = Work::new(device)?;
    let (folder, name) = work.folder_of(path)?;
    if work.find(&folder, name)?.is_some() {
        return Err(Refusal::InTheWay(path.to_owned()));
    }
    let clusters = work.free(1)?;
    let first = clusters.first().copied().unwrap_or(0);
    let place = Place {
        first,
        size: 0,
        stamp,
        folder: true,
    };
    let above = if folder == work.volume.root {
        0
    } else {
        folder
    };
    let mut content = vec![0; work.volume.cluster as usize];
    put(&mut content, 0, &place.short(b".          ", 0));
    let up = Place {
        first: above,
        ..place
    };
    put(&mut content, 32, &up.short(b"..         ", 0));
    work.fill(&clusters, &content)?;
    let slots = work.slots(&folder, name)?;
    work.end_phase(Phase::Data);
    work.chain(&clusters)?;
    work.prepare(&slots)?;
    work.end_phase(Phase::Claim);
    work.enter(&slots, name, place)?;
    work.end_phase(Phase::Commit);
    work.count(1, 0)?;
    work.end_phase(Phase::Release);
    Ok(work.finish())
}

/// Bytes that nobody uses, and all there are.
///
/// # Errors
/// [`Refusal::NoVolume`].
pub fn room(device: &mut dyn Sectors) -> Result<(u64, u64), Refusal> {
    let mut disk = Disk::new(device);
    let volume = volume_of(&mut disk)?;
    let mut free = 0_u64;
    if volume.is_exfat() {
        return Err(Refusal::Exfat);
    }
    Table::new(&volume).scan(&mut disk, |_, meaning| free += u64::from(meaning == 0));
    let cluster = u64::from(volume.cluster);
    Ok((free * cluster, u64::from(volume.clusters) * cluster))
}

fn volume_of(disk: &mut Disk<'_>) -> Result<Volume, Refusal> {
    let start = partition::first(disk).ok_or(Refusal::NoVolume)?;
    boot::shape(disk, start).ok_or(Refusal::NoVolume)
}

/// A change being planned, on a copy in memory.
struct Work<'a> {
    overlay: Overlay<'a>,
    volume: Volume,
    /// Clusters this change has taken already.
    taken: BTreeSet<u32>,
    writes: Vec<SectorWrite>,
}

impl<'a> Work<'a> {
    fn new(device: &'a mut dyn Sectors) -> Result<Self, Refusal> {
        let volume = volume_of(&mut Disk::new(device))?;
        if volume.is_exfat() {
            return Err(Refusal::Exfat);
        }
        Ok(Self {
            overlay: Overlay::new(device),
            volume,
            taken: BTreeSet::new(),
            writes: Vec::new(),
        })
    }

    fn disk(&mut self) -> Disk<'_> {
        Disk::new(&mut self.overlay)
    }

    fn edit(&mut self, at: u64, bytes: &[u8]) -> Result<(), Refusal> {
        Ok(self.disk().write(at, bytes)?)
    }

    /// What was written since the last phase belongs to this one.
    fn end_phase(&mut self, phase: Phase) {
        for (sector, after) in self.overlay.take_log() {
            let earlier = self.writes.iter().rev().find(|one| one.sector == sector);
            let before = match earlier {
                Some(one) => one.after.clone(),
                None => self.overlay.original(sector).unwrap_or_default(),
            };
            // Content is written even where the disk seems to hold it: a card that fails may only have
            // seemed to, and the place of a write tells the byte of the file.
            if before != after || phase == Phase::Data {
                self.writes.push(SectorWrite {
                    phase,
                    sector,
                    before,
                    after,
                });
            }
        }
    }

    fn finish(self) -> Change {
        Change {
            sector_size: self.overlay.sector_size(),
            writes: self.writes,
        }
    }

    /// Where the bytes of a folder are, by its first cluster.
    fn pieces(&mut self, first: u32) -> Vec<(u64, u64)> {
        let volume = self.volume.clone();
        if first == 0 || (first == volume.root && volume.root == 0) {
            return vec![(volume.root_at, u64::from(volume.root_entries) * 32)];
        }
        let most = volume.need(2 << 20);
        let clusters = clusters_of(&mut self.disk(), &volume, first, Some(most), false);
        let mut seen = BTreeSet::new();
        let fresh = clusters.into_iter().take_while(|one| seen.insert(*one));
        fresh
            .map(|cluster| (volume.at(cluster), u64::from(volume.cluster)))
            .collect()
    }

    fn nodes(&mut self, pieces: &[(u64, u64)]) -> Vec<Node> {
        let volume = self.volume.clone();
        let (found, _) = records(&mut self.disk(), &volume, None, pieces);
        found
            .into_iter()
            .filter_map(|record| match record {
                Record::Node(node) => Some(node),
                _ => None,
            })
            .collect()
    }

    fn find(&mut self, folder: &u32, name: &str) -> Result<Option<Node>, Refusal> {
        if !entry::is_name(name) {
            return Err(Refusal::BadName(name.to_owned()));
        }
        let pieces = self.pieces(*folder);
        let wanted = name.to_lowercase();
        let mut nodes = self.nodes(&pieces).into_iter();
        Ok(nodes.find(|node| node.name.to_lowercase() == wanted))
    }

    /// The folder of a path, by its first cluster, and the last name.
    fn folder_of<'p>(&mut self, path: &'p str) -> Result<(u32, &'p str), Refusal> {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let name = parts
            .pop()
            .ok_or_else(|| Refusal::BadName(path.to_owned()))?;
        let mut folder = self.volume.root;
        for part in parts {
            let node = self.find(&folder, part)?;
            let node = node.ok_or_else(|| Refusal::NoFolder(part.to_owned()))?;
            if !node.dir {
                return Err(Refusal::InTheWay(part.to_owned()));
            }
            folder = node.first;
        }
        Ok((folder, name))
    }

    /// Clusters that nobody uses, for so many bytes.
    fn free(&mut self, bytes: u64) -> Result<Vec<u32>, Refusal> {
        let volume = self.volume.clone();
        let need = volume.need(bytes);
        if bytes > u64::from(u32::MAX) {
            let free = u64::from(u32::MAX);
            return Err(Refusal::Full { need: bytes, free });
        }
        let (mut clusters, mut free) = (Vec::new(), 0_u64);
        let taken = std::mem::take(&mut self.taken);
        Table::new(&volume).scan(&mut self.disk(), |cluster, meaning| {
            if meaning == 0 && !taken.contains(&cluster) {
                free += 1;
                if (clusters.len() as u64) < need {
                    clusters.push(cluster);
                }
            }
        });
        self.taken = taken;
        self.taken.extend(&clusters);
        match clusters.len() as u64 == need {
            true => Ok(clusters),
            false => Err(Refusal::Full {
                need: bytes,
                free: free * u64::from(volume.cluster),
            }),
        }
    }

    /// Writes content into clusters, the last sector filled with zeros.
    fn fill(&mut self, clusters: &[u32], content: &[u8]) -> Result<(), Refusal> {
        let volume = self.volume.clone();
        let sector = volume.sector as usize;
        for (cluster, piece) in clusters.iter().zip(content.chunks(volume.cluster as usize)) {
            let mut bytes = piece.to_vec();
            bytes.resize(piece.len().next_multiple_of(sector), 0);
            self.edit(volume.at(*cluster), &bytes)?;
        }
        Ok(())
    }

    fn chain(&mut self, clusters: &[u32]) -> Result<(), Refusal> {
        let volume = self.volume.clone();
        let mut table = Table::new(&volume);
        let follows = clusters.iter().skip(1).copied().chain([volume.end_mark()]);
        for (cluster, next) in clusters.iter().zip(follows) {
            table.set(&mut self.disk(), *cluster, next)?;
        }
        Ok(())
    }

    /// Frees the clusters of a node; how many there were.
    fn release(&mut self, node: &Node) -> Result<u32, Refusal> {
        let volume = self.volume.clone();
        let clusters = clusters_of(&mut self.disk(), &volume, node.first, None, false);
        let mut table = Table::new(&volume);
        let mut freed = BTreeSet::new();
        for cluster in clusters {
            if self.taken.contains(&cluster) || !freed.insert(cluster) {
                break;
            }
            table.set(&mut self.disk(), cluster, 0)?;
        }
        Ok(freed.len() as u32)
    }

    /// Sets an entry to another content.
    fn change(&mut self, node: &Node, place: Place) -> Result<(), Refusal> {
        let at = node.slots.last().copied().unwrap_or(0);
        let entry = place.over(&node.raw);
        self.edit(at, &entry)
    }

    /// Entries nobody uses, with one more cluster for the folder if it has none left.
    fn slots(&mut self, folder: &u32, name: &str) -> Result<Slots, Refusal> {
        let pieces = self.pieces(*folder);
        let need = entry::entries(name);
        let nodes = self.nodes(&pieces);
        let short = entry::short_for(name, &nodes);
        let sector = self.volume.sector.into();
        let mut disk = self.disk();
        if let Some((at, gap, end)) = entry::room(&mut disk, &pieces, need, sector) {
            return Ok(Slots {
                at,
                gap,
                end,
                short,
                link: None,
            });
        }
        if *folder == 0 {
            return Err(Refusal::RootFull);
        }
        let volume = self.volume.clone();
        let more = self.free(1)?;
        let first = more.first().copied().unwrap_or(0);
        self.edit(volume.at(first), &vec![0; volume.cluster as usize])?;
        let last = clusters_of(&mut self.disk(), &volume, *folder, None, false);
        let last = last.last().copied().unwrap_or(0);
        let at = (0..need as u64).map(|number| volume.at(first) + 32 * number);
        Ok(Slots {
            at: at.collect(),
            gap: Vec::new(),
            end: None,
            short,
            link: Some((last, first)),
        })
    }

    /// Lets a folder end behind the entries that will be written, and not before.
    fn prepare(&mut self, slots: &Slots) -> Result<(), Refusal> {
        if let Some(end) = slots.end {
            self.edit(end, &[0])?;
        }
        for gap in slots.gap.iter().rev() {
            self.edit(*gap, &[0xE5])?;
        }
        Ok(())
    }

    /// Writes a new entry, the part with the name last.
    fn enter(&mut self, slots: &Slots, name: &str, place: Place) -> Result<(), Refusal> {
        let entries = place.entries(name, &slots.short);
        for (at, entry) in slots.at.iter().zip(&entries) {
            self.edit(*at, entry)?;
        }
        if let Some((last, first)) = slots.link {
            let volume = self.volume.clone();
            let mut table = Table::new(&volume);
            table.set(&mut self.disk(), first, volume.end_mark())?;
            table.set(&mut self.disk(), last, first)?;
        }
        Ok(())
    }

    /// Keeps FAT32's count of free clusters right, where it has one that makes sense. The camera
    /// believes it.
    fn count(&mut self, used: u32, freed: u32) -> Result<(), Refusal> {
        let volume = self.volume.clone();
        let Some(info) = volume.info else {
            return Ok(());
        };
        let at = volume.start + info * u64::from(volume.sector);
        let bytes = self.disk().bytes(at, 512);
        let free = u32_at(&bytes, 488);
        let signed = u32_at(&bytes, 0) == 0x4161_5252 && u32_at(&bytes, 484) == 0x6141_7272;
        if !signed || free > volume.clusters {
            return Ok(());
        }
        let free = (free + freed).saturating_sub(used).min(volume.clusters);
        self.edit(at + 488, &free.to_le_bytes())
    }
}
