//! Files put on a disk sector by sector, and the power cut after each of them.

use std::collections::BTreeMap;

use omv_fat::{
    Blueprint, Change, Fault, Form, Kind, Options, Phase, Recovery, Refusal, Scheme, Sectors,
    check, format, make_folder, remove, room, store, walk,
};

/// A disk of which only what was written takes memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Memory {
    sectors: u64,
    sector: u32,
    written: BTreeMap<u64, Vec<u8>>,
}

impl Memory {
    fn blank(sector: u32, bytes: u64) -> Self {
        Self {
            sectors: bytes / u64::from(sector),
            sector,
            written: BTreeMap::new(),
        }
    }
}

impl Sectors for Memory {
    fn sector_size(&self) -> u32 {
        self.sector
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        for (sector, piece) in (first..).zip(into.chunks_exact_mut(self.sector as usize)) {
            if sector >= self.sectors {
                return Err(Fault::PastEnd { sector });
            }
            match self.written.get(&sector) {
                Some(bytes) => piece.copy_from_slice(bytes),
                None => piece.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        for (sector, piece) in (first..).zip(from.chunks_exact(self.sector as usize)) {
            match piece.iter().all(|byte| *byte == 0) {
                true => self.written.remove(&sector),
                false => self.written.insert(sector, piece.to_vec()),
            };
        }
        Ok(())
    }
}

const STAMP: u32 = 0x5A21_0000;

/// A disk that holds a few files, one of them in a folder.
fn disk(form: Form, sector: u32) -> Memory {
    let bytes = match form {
        Form::Fat12 => 4 << 20,
        Form::Fat16 => 80 << 20,
        _ => 300 << 20,
    };
    let mut disk = Memory::blank(sector, bytes);
    let wish = Blueprint {
        form: Some(form),
        scheme: Scheme::Mbr,
        label: "OPENMV".into(),
        serial: 7,
        files: vec![".openmv_disk".into()],
    };
    format(&mut disk, &wish).unwrap();
    put(&mut disk, "main.py", &text(1, 9000));
    put(&mut disk, "README.txt", &text(2, 100));
    make_folder(&mut disk, "lib", STAMP)
        .unwrap()
        .apply(&mut disk)
        .unwrap();
    put(
        &mut disk,
        "lib/A long name of a module.py",
        &text(3, 70_000),
    );
    put(&mut disk, "after.py", &text(4, 20_000));
    disk
}

fn text(seed: u32, length: usize) -> Vec<u8> {
    let line = |number| format!("# {seed} line {number}\n").into_bytes();
    (0..).flat_map(line).take(length).collect()
}

fn put(disk: &mut Memory, path: &str, content: &[u8]) {
    let change = store(disk, path, content, STAMP).unwrap();
    change.apply(disk).unwrap();
}

/// Every file with its content.
fn files(disk: &mut Memory) -> Vec<(String, Vec<u8>)> {
    let mut walk = walk(disk, None).unwrap();
    let entries = walk.entries().to_vec();
    let mut files: Vec<_> = entries
        .iter()
        .filter(|entry| !entry.directory)
        .map(|entry| {
            let mut content = Vec::new();
            walk.read(entry, |piece| {
                content.extend_from_slice(piece);
                true
            });
            (entry.shown.clone(), content)
        })
        .collect();
    files.sort();
    files
}

fn with(files: &[(String, Vec<u8>)], path: &str, content: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = files.iter().filter(|one| one.0 != path).cloned().collect();
    files.push((path.to_owned(), content.to_vec()));
    files.sort();
    files
}

fn healthy(disk: &mut Memory) {
    let report = check(disk, &Options::default());
    let said: Vec<_> = report
        .findings
        .iter()
        .map(|one| (one.kind, one.path.clone(), one.detail.clone()))
        .collect();
    assert!(report.is_healthy(), "{said:?}");
}

/// Loses power at a write, and leaves that one in some state.
struct Cut<'a> {
    disk: &'a mut Memory,
    left: usize,
    /// What the sector that was being written becomes, of before and after.
    torn: fn(&[u8], &[u8]) -> Vec<u8>,
}

impl Sectors for Cut<'_> {
    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        self.disk.read(first, into)
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        if self.left == 0 {
            let mut before = vec![0; from.len()];
            self.disk.read(first, &mut before)?;
            let torn = (self.torn)(&before, from);
            self.disk.write(first, &torn)?;
            return Err(Fault::Unwritable { sector: first });
        }
        self.left -= 1;
        self.disk.write(first, from)
    }
}

const SHAPES: [(Form, u32); 5] = [
    (Form::Fat12, 512),
    (Form::Fat12, 4096),
    (Form::Fat16, 512),
    (Form::Fat32, 512),
    (Form::Fat32, 4096),
];

#[test]
fn what_is_stored_is_read_back_and_the_disk_stays_healthy() {
    for (form, sector) in SHAPES {
        let mut disk = disk(form, sector);
        healthy(&mut disk);
        let before = files(&mut disk);
        let new = text(9, 33_000);
        for path in ["main.py", "new.py", "Another long name.json", "lib/x.py"] {
            put(&mut disk, path, &new);
            healthy(&mut disk);
        }
        let mut wanted = before;
        for path in [
            "/main.py",
            "/new.py",
            "/Another long name.json",
            "/lib/x.py",
        ] {
            wanted = with(&wanted, path, &new);
        }
        assert_eq!(files(&mut disk), wanted, "{form:?} {sector}");
    }
}

#[test]
fn a_power_cut_at_any_sector_of_a_card_leaves_the_old_file_or_the_new_and_every_other_one() {
    let mut cuts = 0;
    for (form, sector) in SHAPES {
        for path in ["main.py", "new file.py", "lib/deep.py"] {
            let whole = disk(form, sector);
            let before = files(&mut whole.clone());
            let new = text(9, 14_000);
            let after = with(&before, &format!("/{path}"), &new);
            let change = store(&mut whole.clone(), path, &new, STAMP).unwrap();
            for left in 0..change.writes.len() {
                let mut cut = whole.clone();
                let torn = |before: &[u8], _: &[u8]| before.to_vec();
                let ended = change.apply(&mut Cut {
                    disk: &mut cut,
                    left,
                    torn,
                });
                assert!(ended.is_err());
                cuts += 1;
                let now = files(&mut cut);
                assert!(now == before || now == after, "{form:?} {path} {left}");
                // And what is left over is cleared away.
                let done = change.recover(&mut cut).unwrap();
                let wanted = match done {
                    Recovery::Undone => &before,
                    Recovery::Completed => &after,
                    Recovery::Foreign => panic!("{form:?} {path} {left}: taken for another's"),
                };
                assert_eq!(&files(&mut cut), wanted);
                healthy(&mut cut);
            }
        }
    }
    assert!(cuts > 100, "{cuts}");
}

/// Makes what is left of a sector from what it held and what it should have held.
type Tear = fn(&[u8], &[u8]) -> Vec<u8>;

/// Half erased; erased; half written; written but for some cells.
const TORN: [Tear; 4] = [
    |before, _| {
        let half = before.len() / 2;
        let erased = before.iter().enumerate();
        erased
            .map(|(at, byte)| if at < half { 0xFF } else { *byte })
            .collect()
    },
    |before, _| vec![0xFF; before.len()],
    |_, after| {
        let third = after.len() / 3;
        let written = after.iter().enumerate();
        written
            .map(|(at, byte)| if at < third { *byte } else { 0xFF })
            .collect()
    },
    |_, after| {
        let cells = after.iter().enumerate();
        cells
            .map(|(at, byte)| if at % 7 == 0 { byte | 0x5A } else { *byte })
            .collect()
    },
];

#[test]
fn a_sector_torn_by_a_power_cut_is_put_right_from_what_the_plan_remembers() {
    let whole = disk(Form::Fat12, 4096);
    let before = files(&mut whole.clone());
    for path in ["main.py", "new file.py"] {
        let new = text(9, 14_000);
        let after = with(&before, &format!("/{path}"), &new);
        let change = store(&mut whole.clone(), path, &new, STAMP).unwrap();
        for left in 0..change.writes.len() {
            for torn in TORN {
                let mut cut = whole.clone();
                let mut power = Cut {
                    disk: &mut cut,
                    left,
                    torn,
                };
                assert!(change.apply(&mut power).is_err());
                // The mending can lose power too.
                for left in 0..4 {
                    let mut power = Cut {
                        disk: &mut cut,
                        left,
                        torn,
                    };
                    let _ = change.recover(&mut power);
                }
                let done = change.recover(&mut cut).unwrap();
                let wanted = match done {
                    Recovery::Undone => &before,
                    Recovery::Completed => &after,
                    Recovery::Foreign => panic!("{path} {left}: taken for another's"),
                };
                assert_eq!(&files(&mut cut), wanted, "{path} {left}");
                healthy(&mut cut);
            }
        }
    }
}

#[test]
fn what_somebody_else_wrote_since_is_left_alone() {
    let mut disk = disk(Form::Fat12, 512);
    let change = store(&mut disk, "main.py", &text(9, 3000), STAMP).unwrap();
    change.apply_phase(&mut disk, Phase::Data).unwrap();
    change.apply_phase(&mut disk, Phase::Claim).unwrap();
    format(
        &mut disk,
        &Blueprint {
            form: Some(Form::Fat12),
            scheme: Scheme::Mbr,
            label: "OTHER".into(),
            serial: 99,
            files: (0..200).map(|number| format!("file{number}.py")).collect(),
        },
    )
    .unwrap();
    let theirs = disk.clone();
    assert_eq!(change.recover(&mut disk), Ok(Recovery::Foreign));
    assert_eq!(disk, theirs);
}

#[test]
fn a_change_that_is_whole_is_recognised_and_mended_by_doing_nothing() {
    let mut disk = disk(Form::Fat16, 512);
    let untouched = disk.clone();
    let change = store(&mut disk, "main.py", b"", STAMP).unwrap();
    assert_eq!(change.recover(&mut disk), Ok(Recovery::Undone));
    assert_eq!(disk, untouched);
    change.apply(&mut disk).unwrap();
    let done = disk.clone();
    assert_eq!(change.recover(&mut disk), Ok(Recovery::Completed));
    assert_eq!(disk, done);
}

#[test]
fn a_change_says_which_sectors_came_back_otherwise() {
    let mut disk = disk(Form::Fat12, 512);
    let change: Change = store(&mut disk, "main.py", &text(9, 2000), STAMP).unwrap();
    change.apply_phase(&mut disk, Phase::Data).unwrap();
    assert_eq!(change.differing(&mut disk, Phase::Data), Ok(vec![]));
    let second = change.writes[1].sector;
    disk.write(second, &[0; 512]).unwrap();
    assert_eq!(change.differing(&mut disk, Phase::Data), Ok(vec![second]));
}

#[test]
fn files_and_empty_folders_are_removed_and_their_room_is_free_again() {
    for (form, sector) in SHAPES {
        let mut disk = disk(form, sector);
        let free = room(&mut disk).unwrap();
        put(&mut disk, "Something long.py", &text(5, 50_000));
        make_folder(&mut disk, "empty", STAMP)
            .unwrap()
            .apply(&mut disk)
            .unwrap();
        assert!(room(&mut disk).unwrap().0 < free.0);
        let full = remove(&mut disk, "lib");
        assert_eq!(full, Err(Refusal::NotEmpty("lib".into())));
        for path in ["Something long.py", "empty"] {
            remove(&mut disk, path).unwrap().apply(&mut disk).unwrap();
            healthy(&mut disk);
        }
        assert_eq!(room(&mut disk).unwrap(), free);
        let gone = remove(&mut disk, "empty");
        assert_eq!(gone, Err(Refusal::Missing("empty".into())));
    }
}

#[test]
fn a_folder_that_is_full_grows_and_a_root_that_is_full_says_so() {
    let mut disk = disk(Form::Fat12, 512);
    for number in 0..300 {
        put(
            &mut disk,
            &format!("lib/A name of some length {number}.py"),
            b"x",
        );
    }
    healthy(&mut disk);
    let mut number = 0;
    let refused = loop {
        number += 1;
        match store(&mut disk, &format!("f{number}.py"), b"", STAMP) {
            Ok(change) => change.apply(&mut disk).unwrap(),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, Refusal::RootFull);
    assert!(number > 400, "{number}");
    let report = check(&mut disk, &Options::default());
    let said: Vec<_> = report.findings.iter().map(|one| one.kind).collect();
    assert_eq!(said, [Kind::RootFull]);
}

#[test]
fn what_cannot_be_stored_is_refused_before_anything_is_written() {
    let mut disk = disk(Form::Fat12, 512);
    let before = disk.clone();
    let mut no =
        |path: &str, length: usize| store(&mut disk, path, &vec![1; length], STAMP).unwrap_err();
    assert!(matches!(no("big.py", 9 << 20), Refusal::Full { need, free } if need > free));
    assert_eq!(no("nowhere/x.py", 1), Refusal::NoFolder("nowhere".into()));
    assert_eq!(no("main.py/x.py", 1), Refusal::InTheWay("main.py".into()));
    assert_eq!(no("lib", 1), Refusal::InTheWay("lib".into()));
    assert!(matches!(no("a:b.py", 1), Refusal::BadName(_)));
    assert!(matches!(no("", 1), Refusal::BadName(_)));
    assert_eq!(disk, before);
    let mut blank = Memory::blank(512, 1 << 20);
    let refused = store(&mut blank, "main.py", b"", STAMP);
    assert_eq!(refused, Err(Refusal::NoVolume));
}

#[test]
fn a_note_of_a_change_is_read_back_and_one_that_is_not_whole_is_none() {
    for (form, sector) in [(Form::Fat12, 4096), (Form::Fat32, 512)] {
        let mut disk = disk(form, sector);
        let change = store(&mut disk, "main.py", &text(9, 5000), STAMP).unwrap();
        let note = change.encode();
        assert_eq!(Change::decode(&note), Some(change));
        for at in [0, 9, 13, 40, note.len() - 1] {
            assert_eq!(Change::decode(&note[..at]), None);
            let mut bad = note.clone();
            bad[at] ^= 1;
            assert_eq!(Change::decode(&bad), None);
        }
    }
}

#[test]
fn a_torn_directory_into_which_the_camera_entered_its_marker_is_put_right_and_a_new_file_is_not_lost()
 {
    let whole = disk(Form::Fat12, 4096);
    let before = files(&mut whole.clone());
    let change = store(&mut whole.clone(), "main.py", &text(9, 5000), STAMP).unwrap();
    let at = change
        .writes
        .iter()
        .position(|one| one.phase == Phase::Commit);
    let entry = |sector: &mut [u8], name: &[u8; 11]| {
        sector[4000..4011].copy_from_slice(name);
        sector[4011..4032].copy_from_slice(&[0x20; 21]);
    };
    for torn in TORN {
        let mut cut = whole.clone();
        let left = at.unwrap();
        let mut power = Cut {
            disk: &mut cut,
            left,
            torn,
        };
        assert!(change.apply(&mut power).is_err());
        let sector = change.writes[left].sector;
        let mut bytes = vec![0; 4096];
        cut.read(sector, &mut bytes).unwrap();
        entry(&mut bytes, b"~1      OPE");
        cut.write(sector, &bytes).unwrap();
        assert_ne!(change.recover(&mut cut), Ok(Recovery::Foreign));
        assert_eq!(files(&mut cut).len(), before.len());
    }
    let mut done = whole.clone();
    change.apply(&mut done).unwrap();
    let sector = change.writes[at.unwrap()].sector;
    let mut bytes = vec![0; 4096];
    done.read(sector, &mut bytes).unwrap();
    entry(&mut bytes, b"LOG     TXT");
    done.write(sector, &bytes).unwrap();
    assert_eq!(change.recover(&mut done), Ok(Recovery::Foreign));
}
