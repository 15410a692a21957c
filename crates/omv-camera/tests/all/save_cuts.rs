//! A save and a power cut at every sector that is written: on a card, which writes a sector or
//! does not, and on the RT1062's internal disk, where a sector is torn. Then the camera starts,
//! with what it does to its disks by itself, and the next command comes.

use std::time::Duration;

use omv_camera::disk::{BlockError, Blocks};
use omv_camera::files::{MemoryNotebook, Notebook, SaveError, mend, save};
use omv_fat::{Blueprint, Form, Memory, Scheme, Sectors, format};
use omv_sim::disk::{Disks, Rules};
use omv_sim::medium::{
    Faulty, Medium, MediumError, MemoryCard, Shared, Stamp, Trouble, check, format_internal,
};

const STAMP: u32 = 0x5A21_0000;

/// A flash of 4096-byte sectors, 4 MiB, as the RT1062 has it.
struct Flash(Vec<u8>);

impl Medium for Flash {
    fn block_size(&self) -> usize {
        4096
    }

    fn blocks(&self) -> u64 {
        1024
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        check(self, block, into.len())?;
        let at = block as usize * 4096;
        into.copy_from_slice(&self.0[at..at + into.len()]);
        Ok(())
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        check(self, block, bytes.len())?;
        let at = block as usize * 4096;
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

/// What the computer sees of the disk, until the power fails at a write.
struct Drive {
    medium: Shared,
    left: usize,
    torn: Option<u64>,
    writes: usize,
}

impl Drive {
    fn new(medium: &Shared) -> Self {
        Self {
            medium: medium.clone(),
            left: usize::MAX,
            torn: None,
            writes: 0,
        }
    }

    /// What a power cut leaves of a flash sector: each cell for itself, at some moment of the
    /// erase or of the writing after it.
    fn tear(&self, seed: u64, before: &[u8], after: &[u8]) -> Vec<u8> {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut roll = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as u8
        };
        let erasing = seed.is_multiple_of(2);
        let pairs = before.iter().zip(after);
        pairs
            .map(|(before, after)| match erasing {
                true => before | (roll() & roll()),
                false => after | (roll() & roll()),
            })
            .collect()
    }
}

impl Blocks for Drive {
    fn block_size(&self) -> u32 {
        self.medium.block_size() as u32
    }

    fn blocks(&self) -> u64 {
        self.medium.blocks()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), BlockError> {
        if self.left == 0 {
            return Err(BlockError::Gone);
        }
        let read = self.medium.read(first, into);
        read.map_err(|error| BlockError::Failed(error.to_string()))
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), BlockError> {
        let size = self.medium.block_size();
        for (block, bytes) in (first..).zip(from.chunks(size)) {
            if self.left <= 1 {
                if let Some(seed) = self.torn.filter(|_| self.left == 1) {
                    let mut before = vec![0; size];
                    self.medium.read(block, &mut before).unwrap();
                    let torn = self.tear(seed, &before, bytes);
                    self.medium.write(block, &torn).unwrap();
                }
                self.left = 0;
                return Err(BlockError::Gone);
            }
            self.left -= 1;
            self.writes += 1;
            let written = self.medium.write(block, bytes);
            written.map_err(|error| BlockError::Failed(error.to_string()))?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), BlockError> {
        Ok(())
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

fn text(seed: u32, length: usize) -> Vec<u8> {
    let line = |number| format!("print({seed}, {number})\n").into_bytes();
    (0..).flat_map(line).take(length).collect()
}

fn card() -> Vec<u8> {
    let mut disk = Memory::new(512, vec![0; 8 << 20]);
    let wish = Blueprint {
        form: Some(Form::Fat12),
        scheme: Scheme::Mbr,
        label: "OPENMV".into(),
        serial: 3,
        files: vec![".openmv_disk".into()],
    };
    format(&mut disk, &wish).unwrap();
    assert!(disk.sectors() > 0);
    disk.bytes
}

fn flash() -> Vec<u8> {
    let mut flash = Flash(vec![0xFF; 4 << 20]);
    format_internal(&mut flash, 0, Stamp::default()).unwrap();
    flash.0
}

fn on_card(bytes: &[u8]) -> Shared {
    Shared::new(MemoryCard::of(bytes))
}

fn in_flash(bytes: &[u8]) -> Shared {
    Shared::new(Flash(bytes.to_vec()))
}

/// The camera starts from this disk: everything that is on it, read by the camera's own means.
fn start(medium: &Shared, is_card: bool) -> Vec<(String, Vec<u8>)> {
    let disks = match is_card {
        true => {
            let flash = in_flash(&flash());
            Disks::boot(Some((flash, 0)), Some(medium.clone()), Rules::Both)
        }
        false => Disks::boot(Some((medium.clone(), 0)), None, Rules::Both),
    };
    assert!(!disks.was_formatted(), "the camera formatted its disk");
    let Ok(entries) = disks.list(".") else {
        return Vec::new();
    };
    let files = entries.into_iter().filter(|entry| !entry.folder);
    let mut files: Vec<_> = files
        .map(|entry| {
            (
                entry.name.clone(),
                disks.read(&entry.name).unwrap_or_default(),
            )
        })
        .collect();
    files.sort();
    files
}

/// The camera starts from an internal disk that may be torn, and writes to it what it misses. The
/// FAT that the virtual camera borrows gives up on some of those, where the real one reads on.
fn power_up(medium: &Shared) {
    let medium = medium.clone();
    let start = move || Disks::boot(Some((medium, 0)), None, Rules::Both).was_formatted();
    let formatted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(start));
    assert!(!formatted.unwrap_or(false), "the camera formatted its disk");
}

/// A disk with two scripts and a file of data besides what the camera puts there.
fn filled(image: &[u8], shared: fn(&[u8]) -> Shared) -> Vec<u8> {
    let medium = shared(image);
    for (name, content) in [
        ("main.py", text(1, 9000)),
        ("other.py", text(2, 700)),
        ("A data file.json", text(3, 30_000)),
    ] {
        let mut notebook = MemoryNotebook::default();
        save(
            &mut Drive::new(&medium),
            &mut notebook,
            name,
            &content,
            STAMP,
        )
        .unwrap();
    }
    medium.image().unwrap()
}

struct Kind {
    image: Vec<u8>,
    shared: fn(&[u8]) -> Shared,
    is_card: bool,
}

fn kinds() -> [Kind; 2] {
    [
        Kind {
            image: filled(&card(), on_card),
            shared: on_card,
            is_card: true,
        },
        Kind {
            image: filled(&flash(), in_flash),
            shared: in_flash,
            is_card: false,
        },
    ]
}

/// Saves with a cut, starts the camera, gives the next command; how many writes a save has.
fn every_cut(kind: &Kind, name: &str, seeds: u64) -> usize {
    let new = text(9, 12_345);
    let medium = (kind.shared)(&kind.image);
    let before = start(&medium, kind.is_card);
    let mut whole = Drive::new(&medium);
    save(
        &mut whole,
        &mut MemoryNotebook::default(),
        name,
        &new,
        STAMP,
    )
    .unwrap();
    let after = start(&medium, kind.is_card);
    assert_ne!(before, after);
    let writes = whole.writes;
    for left in 1..=writes {
        for seed in 0..seeds {
            let medium = (kind.shared)(&kind.image);
            let mut drive = Drive::new(&medium);
            drive.left = left;
            drive.torn = (!kind.is_card).then_some(seed);
            let mut notebook = MemoryNotebook::default();
            let ended = save(&mut drive, &mut notebook, name, &new, STAMP);
            assert!(
                matches!(ended, Err(SaveError::Disk(BlockError::Gone))),
                "{ended:?}"
            );
            // A card is whole at every moment; the flash is when it was mended.
            if kind.is_card {
                let started = start(&medium, true);
                assert!(started == before || started == after, "{name} {left}");
            } else {
                power_up(&medium);
            }
            mend(&mut Drive::new(&medium), &mut notebook).unwrap();
            assert!(notebook.kept().is_none());
            let mended = start(&medium, kind.is_card);
            let is_known = mended == before || mended == after;
            let names: Vec<_> = mended.iter().map(|(name, _)| name).collect();
            assert!(is_known, "{name}, write {left}, seed {seed}: {names:?}");
            // And then it can be saved.
            save(&mut Drive::new(&medium), &mut notebook, name, &new, STAMP).unwrap();
            assert_eq!(start(&medium, kind.is_card), after);
        }
    }
    writes
}

#[test]
fn a_power_cut_at_any_sector_leaves_the_old_file_or_the_new_and_loses_no_other() {
    for kind in kinds() {
        for name in ["main.py", "boot.py", "A new name.py"] {
            let writes = every_cut(&kind, name, if kind.is_card { 1 } else { 6 });
            assert!(writes > 5, "{writes}");
        }
    }
}

#[test]
fn a_file_that_is_there_already_is_not_written_again() {
    for kind in kinds() {
        let medium = (kind.shared)(&kind.image);
        let mut drive = Drive::new(&medium);
        let mut notebook = MemoryNotebook::default();
        let saved = save(&mut drive, &mut notebook, "main.py", &text(1, 9000), STAMP);
        assert!(saved.unwrap().unchanged);
        assert_eq!(drive.writes, 0);
    }
}

#[test]
fn a_card_that_returns_other_data_is_caught_and_the_old_file_stays() {
    // Blocks in the free room come back with wrong bits, or are dropped, or are another's.
    for trouble in [
        Trouble::Rot(200..16_000, 1),
        Trouble::Stuck(vec![600..700, 700..16_000]),
        Trouble::Drops(600),
        Trouble::Swaps(600..700, 800..900),
    ] {
        let image = filled(&card(), on_card);
        let before = start(&on_card(&image), true);
        let medium = Shared::new(Faulty::new(MemoryCard::of(&image), trouble.clone()));
        let new = text(9, 500_000);
        let mut notebook = MemoryNotebook::default();
        let ended = save(
            &mut Drive::new(&medium),
            &mut notebook,
            "main.py",
            &new,
            STAMP,
        );
        let Err(SaveError::Returned { file, offset }) = &ended else {
            panic!("{trouble:?}: {ended:?}");
        };
        assert_eq!(file, "main.py");
        assert!(*offset < new.len() as u64);
        assert!(notebook.kept().is_none());
        if !matches!(trouble, Trouble::Rot(..)) {
            assert_eq!(start(&medium, true), before, "{trouble:?}");
        }
    }
}

#[test]
fn a_full_disk_and_a_bad_name_are_refused_and_nothing_is_written() {
    for kind in kinds() {
        let medium = (kind.shared)(&kind.image);
        let mut drive = Drive::new(&medium);
        let mut notebook = MemoryNotebook::default();
        let full = save(
            &mut drive,
            &mut notebook,
            "big.py",
            &vec![b'#'; 20 << 20],
            STAMP,
        );
        assert_eq!(full.unwrap_err().code(), "disk-full");
        let name = save(&mut drive, &mut notebook, "a:b.py", b"", STAMP);
        assert_eq!(name.unwrap_err().code(), "disk-bad-name");
        assert_eq!(drive.writes, 0);
        assert_eq!(medium.image().unwrap(), kind.image);
    }
}
