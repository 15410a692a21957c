//! The disk a camera starts from, as far as it bears on whether it starts. Nothing is written.

use std::cell::RefCell;
use std::rc::Rc;

use omv_fat::{Fault, Kind, Sectors, Severity, check, walk};

use crate::disk::{BlockError, Blocks};
use crate::files::{BlockSectors, leftovers};

/// Files whose names are kept.
const NAMES: usize = 4096;
/// Largest script that is read.
const SCRIPT: u64 = 4 << 20;
/// Blocks at the beginning that are all read twice: tables, the root, the first files.
const DENSE: u64 = 512;
/// Blocks in front of an STM32's internal disk.
const LEAD: u64 = 256;
/// Blocks behind those that are read twice.
const SPARSE: u64 = 96;
/// Most blocks of scripts that are read twice.
const SCRIPTS: usize = 2048;

/// What the disk of a camera looks like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disk {
    /// Whether it is a card; otherwise it is the internal disk.
    pub card: bool,
    /// Whether the camera can mount it.
    pub mountable: bool,
    /// What is wrong with its structure.
    pub damage: Vec<Damage>,
    /// Bytes nobody uses.
    pub free: u64,
    /// Paths of its files, as they are.
    pub files: Vec<String>,
    /// `main.py` in its root.
    pub main: Option<Vec<u8>>,
    /// `boot.py` in its root.
    pub boot: Option<Vec<u8>>,
    /// Blocks that gave something else when they were read again, or nothing.
    pub unstable: Vec<u64>,
    /// Temporary files of saves that were cut.
    pub leftovers: Vec<String>,
}

/// One thing that is wrong with its structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What.
    pub kind: Kind,
    /// Which file.
    pub path: Option<String>,
    /// The particulars.
    pub detail: String,
}

impl Disk {
    /// Looks at a disk.
    ///
    /// # Errors
    /// [`BlockError::Gone`]; a disk that fails is no error here.
    pub fn of(blocks: &mut dyn Blocks, card: bool) -> Result<Self, BlockError> {
        let unstable = unstable(blocks, card)?;
        let options = omv_fat::Options {
            sector_size_known: true,
            content: false,
        };
        let report = check(&mut BlockSectors::new(blocks), &options);
        let mounted = report.mounted();
        let free = mounted.map_or(0, |seen| {
            u64::from(seen.free) * u64::from(seen.volume.cluster)
        });
        let damage = report.findings.iter().map(|finding| Damage {
            kind: finding.kind,
            path: finding.path.clone(),
            detail: finding.detail.clone(),
        });
        let mut disk = Self {
            card,
            mountable: mounted.is_some(),
            damage: damage.collect(),
            free,
            unstable,
            ..Self::default()
        };
        let mut of_scripts = disk.read_files(blocks);
        of_scripts.retain(|block| !disk.unstable.contains(block));
        disk.unstable
            .extend(not_the_same(blocks, card, of_scripts)?);
        disk.unstable.sort_unstable();
        disk.leftovers = leftovers(blocks);
        Ok(disk)
    }

    /// Reads what there is; the blocks that the scripts were read from.
    fn read_files(&mut self, blocks: &mut dyn Blocks) -> Vec<u64> {
        let log = Rc::<RefCell<Vec<u64>>>::default();
        let mut sectors = Logged {
            sectors: BlockSectors::new(blocks),
            log: log.clone(),
        };
        let Some(mut walk) = walk(&mut sectors, None) else {
            return Vec::new();
        };
        log.borrow_mut().clear();
        let entries = walk.entries().to_vec();
        for entry in entries.iter().filter(|entry| !entry.directory) {
            let path = entry.shown.trim_matches('/').to_owned();
            let slot = match path.to_lowercase().as_str() {
                "main.py" => Some(&mut self.main),
                "boot.py" => Some(&mut self.boot),
                _ => None,
            };
            if let Some(slot) = slot.filter(|_| entry.size <= SCRIPT) {
                let mut content = Vec::new();
                walk.read(entry, |piece| {
                    content.extend_from_slice(piece);
                    true
                });
                *slot = Some(content);
            }
            if self.files.len() < NAMES {
                self.files.push(path);
            }
        }
        drop(walk);
        let mut read = log.take();
        read.sort_unstable();
        read.dedup();
        read
    }

    /// The worst damage beyond notes, if there is any.
    pub fn worst(&self) -> Option<&Damage> {
        let damage = self.damage.iter();
        damage
            .filter(|one| one.kind.about().severity > Severity::Note)
            .max_by_key(|one| one.kind.about().severity)
    }

    /// Whether its structure has this.
    pub fn has(&self, kind: Kind) -> bool {
        self.damage.iter().any(|one| one.kind == kind)
    }
}

/// Remembers which sectors were read.
struct Logged<'a> {
    sectors: BlockSectors<'a>,
    log: Rc<RefCell<Vec<u64>>>,
}

impl Sectors for Logged<'_> {
    fn sector_size(&self) -> u32 {
        self.sectors.sector_size()
    }

    fn sectors(&self) -> u64 {
        self.sectors.sectors()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        let count = into.len() as u64 / u64::from(self.sector_size()).max(1);
        let mut log = self.log.borrow_mut();
        let room = SCRIPTS.saturating_sub(log.len());
        log.extend((first..first.saturating_add(count)).take(room));
        self.sectors.read(first, into)
    }

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }
}

/// The first block that means something. STM32 boards have nothing but a made-up table in front of
/// their internal disk.
fn start(blocks: &dyn Blocks, card: bool) -> u64 {
    if card || blocks.block_size() != 512 {
        0
    } else {
        LEAD
    }
}

/// Blocks from all over the disk that are not the same twice: many where its tables and first files
/// are, few behind that.
fn unstable(blocks: &mut dyn Blocks, card: bool) -> Result<Vec<u64>, BlockError> {
    let count = blocks.blocks();
    let start = start(blocks, card);
    let dense = start..count.min(DENSE).max(start);
    let rest = count.saturating_sub(DENSE);
    let step = (rest / SPARSE).max(1);
    let sparse = (count.min(DENSE)..count).step_by(step as usize);
    not_the_same(blocks, card, dense.chain(sparse))
}

/// Reads blocks twice, each time behind another one. Firmware that hides a card's errors sends what
/// it sent before, and then it is not the same twice.
fn not_the_same(
    blocks: &mut dyn Blocks,
    card: bool,
    which: impl IntoIterator<Item = u64>,
) -> Result<Vec<u64>, BlockError> {
    let count = blocks.blocks();
    let size = blocks.block_size() as usize;
    let start = start(blocks, card);
    let mut found = Vec::new();
    let mut two = [vec![0; size], vec![0; size]];
    let mut other = vec![0; size];
    for block in which {
        let mut failed = false;
        for (turn, into) in two.iter_mut().enumerate() {
            // The boot sector or the partition table, and what lies behind that: never the same.
            let before = (start + turn as u64) % count.max(1);
            for (number, buffer) in [(before, &mut other), (block, &mut *into)] {
                match blocks.read(number, buffer) {
                    Err(BlockError::Gone) => return Err(BlockError::Gone),
                    Err(_) => failed |= number == block,
                    Ok(()) => {}
                }
            }
        }
        let [one, two] = &two;
        if failed || one != two {
            found.push(block);
        }
    }
    Ok(found)
}
