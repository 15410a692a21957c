//! The corpus: damaged disks of every kind, judged by us and by others, repaired, and repaired
//! with the power cut after every sector.
//!
//! ```text
//!   healthy (mkfs.fat, mkfs.exfat, as cameras do) -> cases (one damage each) -> check  --> page
//!        \--------------------- what is in the files ---------------> repair, cut, compare
//! ```
//!
//! Needs Debian's dosfstools, exfatprogs and mtools: `cargo xtask test corpus` installs them.

mod cases;
mod healthy;
mod image;
mod judge;
mod page;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cases::{Case, cases};
use image::{Files, Image};
use judge::{Said, fsck, mtools};
use omv_fat::{
    Fault, Kind, Memory, Options, Overlay, Report, Sectors, Severity, Work, check, repair, walk,
};
use page::Row;

/// What a case may take to be checked and repaired.
const LIMIT: Duration = Duration::from_secs(2);

/// A disk in memory, some of whose sectors are bad.
struct Medium<'a> {
    memory: Memory,
    unreadable: &'a [u64],
}

impl Medium<'_> {
    fn of(image: &Image) -> Medium<'_> {
        Medium {
            memory: Memory::new(image.sector as u32, image.bytes.clone()),
            unreadable: &image.unreadable,
        }
    }
}

impl Sectors for Medium<'_> {
    fn sector_size(&self) -> u32 {
        self.memory.sector_size()
    }

    fn sectors(&self) -> u64 {
        self.memory.sectors()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        let last = first + (into.len() / self.memory.sector_size() as usize) as u64;
        match self
            .unreadable
            .iter()
            .find(|sector| (first..last).contains(*sector))
        {
            Some(sector) => Err(Fault::Unreadable { sector: *sector }),
            None => self.memory.read(first, into),
        }
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        self.memory.write(first, from)
    }
}

fn options(image: &Image) -> Options {
    Options {
        sector_size_known: image.known,
        content: true,
    }
}

/// Codes of everything that is worse than a note, or can be repaired.
fn codes(report: &Report) -> Vec<&'static str> {
    let mut codes: Vec<_> = report
        .findings
        .iter()
        .map(|finding| finding.kind.code())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// All files of all volumes, by our own reader.
fn read(disk: &mut dyn Sectors, report: &Report) -> Files {
    let mut files = Files::new();
    for seen in &report.volumes {
        let Some(mut walk) = walk(disk, Some(seen.volume.start)) else {
            continue;
        };
        for entry in walk.entries().to_vec() {
            let mut bytes = Vec::new();
            if !entry.directory {
                walk.read(&entry, |piece| {
                    bytes.extend_from_slice(piece);
                    bytes.len() < 64 << 20
                });
                files.insert(entry.shown.clone(), bytes);
            }
        }
    }
    files
}

/// Whether a file's bytes are on the disk, in their place or, for those a case says so of, in any.
fn is_there(path: &str, bytes: &[u8], files: &Files, case: &Case) -> bool {
    if case.moved.contains(&path) {
        return bytes.is_empty() || files.values().any(|other| other.starts_with(bytes));
    }
    files.get(path).is_some_and(|other| other == bytes)
}

fn left(report: &Report, case: &Case) -> Vec<&'static str> {
    let bad = report.findings.iter().filter(|finding| {
        let about = finding.kind.about();
        about.severity > Severity::Note || !finding.edits.is_empty()
    });
    bad.map(|finding| finding.kind.code())
        .filter(|code| !case.stays.contains(code))
        .collect()
}

/// Cuts the power after every written sector; a second repair must end where the first would have.
fn cut_everywhere(harmed: &Image, case: &Case, work: &Work, whole: &Files) -> usize {
    let options = options(harmed);
    let mut medium = Medium::of(harmed);
    for cut in 0..work.writes.len() {
        let mut half = Overlay::new(&mut medium);
        for (sector, bytes) in &work.writes[..cut] {
            half.write(*sector, bytes).unwrap();
        }
        let second = repair(&mut half, &options).unwrap();
        let rest = left(&second.after, case);
        assert!(
            rest.is_empty(),
            "{}: cut after {cut} sectors, then left: {rest:?}",
            case.name
        );
        second.write(&mut half, |_| true).unwrap();
        let files = read(&mut half, &second.after);
        for (path, bytes) in whole {
            let there = files.get(path) == Some(bytes)
                || files.values().any(|other| other.starts_with(bytes));
            assert!(
                there,
                "{}: cut after {cut} of {} sectors, {path} is lost",
                case.name,
                work.writes.len()
            );
        }
    }
    work.writes.len()
}

fn judge(case: &Case, base: &Image, calm: &Said, number: usize) -> Row {
    let mut image = base.clone();
    (case.harm)(&mut image);
    let mut medium = Medium::of(&image);
    let begun = Instant::now();
    let report = check(&mut medium, &options(&image));
    let work = repair(&mut medium, &options(&image)).unwrap();
    let took = begun.elapsed();
    assert!(took < LIMIT, "{} took {took:?}", case.name);
    let found = codes(&report);
    for code in case.finds {
        assert!(
            found.contains(code),
            "{}: {code} is not among {found:?}",
            case.name
        );
    }
    let theirs = if case.harmed_outside {
        None
    } else {
        Some(fsck(&image, &format!("case{number}")).beyond(calm))
    };

    let mut mended = image.clone();
    work.write(&mut medium, |_| true).unwrap();
    let rest = left(&work.after, case);
    assert!(
        rest.is_empty(),
        "{}: after the repair there is {rest:?}\n{:#?}\n{:#?}",
        case.name,
        work.steps,
        work.after.findings
    );
    let files = read(&mut medium, &work.after);
    mended.bytes = medium.memory.bytes;
    if case.stays.is_empty() && !case.harmed_outside {
        let said = fsck(&mended, &format!("mended{number}")).beyond(calm);
        assert!(
            said.is_empty(),
            "{}: after the repair fsck says {said:?}\n{:#?}",
            case.name,
            work.steps
        );
    }
    let by_others = if case.stays.is_empty() {
        mtools(&mended, &format!("mended{number}"))
    } else {
        None
    };
    for (path, bytes) in &base.files {
        if case.hurt.contains(&path.as_str()) {
            continue;
        }
        let there = is_there(path, bytes, &files, case);
        assert!(
            there,
            "{}: {path} is not what it was\n{:#?}",
            case.name, work.steps
        );
        let lower = path.to_lowercase();
        let other = by_others
            .as_ref()
            .filter(|_| !case.moved.contains(&path.as_str()));
        assert!(
            other.is_none_or(|files| files.get(&lower) == Some(bytes)),
            "{}: mtools reads another {path}",
            case.name
        );
    }
    let whole: Files = files
        .into_iter()
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    let cuts = cut_everywhere(&image, case, &work, &whole);
    let before: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| {
            finding.kind.about().severity > Severity::Note || !finding.edits.is_empty()
        })
        .map(|finding| finding.kind.code())
        .collect();
    Row::new(case, before, theirs, cuts)
}

#[test]
fn every_damage_is_found_and_repaired_also_when_the_power_fails() {
    let bases: BTreeMap<&str, Image> = healthy::all().into_iter().collect();
    let calm: BTreeMap<&str, Said> = bases
        .iter()
        .map(|(name, image)| (*name, fsck(image, "calm")))
        .collect();
    let only = std::env::var("OMV_CASE").ok();
    let wanted = |case: &Case| {
        only.as_ref()
            .is_none_or(|only| case.name.contains(only.as_str()))
    };
    let chosen: Vec<Case> = cases().into_iter().filter(wanted).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::SeqCst);
            let Some(case) = chosen.get(at) else {
                return;
            };
            let begun = Instant::now();
            // All cases are judged, also after one failed: one look should show everything.
            let row =
                std::panic::catch_unwind(|| judge(case, &bases[case.base], &calm[case.base], at));
            println!("{:<44} {:>5} ms", case.name, begun.elapsed().as_millis());
            done.lock().unwrap().push((at, row.ok()));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(&work);
        scope.spawn(&work);
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    let failed: Vec<&str> = done
        .iter()
        .filter(|(_, row)| row.is_none())
        .map(|(at, _)| chosen[*at].name)
        .collect();
    let rows: Vec<Row> = done.into_iter().filter_map(|(_, row)| row).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    if only.is_none() {
        assert!(rows.len() >= 60, "{} cases", rows.len());
        page::write(&rows);
    }
}

#[test]
fn healthy_disks_are_called_healthy() {
    for (name, image) in healthy::all() {
        let mut medium = Medium::of(&image);
        let report = check(&mut medium, &options(&image));
        let wrong: Vec<_> = codes(&report)
            .into_iter()
            .filter(|code| !(name == "fat32 few" && *code == "few-clusters"))
            .collect();
        assert!(wrong.is_empty(), "{name}: {:#?}", report.findings);
        let files = read(&mut medium, &report);
        assert_eq!(files.len(), image.files.len(), "{name}");
        assert_eq!(files, image.files, "{name}");
        let camera = report.mounted().is_some();
        assert_eq!(camera, name != "fat32 few", "{name}");
        let work = repair(&mut medium, &options(&image)).unwrap();
        assert!(work.writes.is_empty(), "{name}: {:#?}", work.steps);
    }
}

#[test]
fn every_kind_of_finding_has_a_case() {
    let covered: Vec<&str> = cases()
        .iter()
        .flat_map(|case| case.finds.iter().copied())
        .collect();
    let missing: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| kind.code())
        .filter(|code| !covered.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_we_format_others_call_clean() {
    for (form, bytes, sector) in [
        (omv_fat::Form::Fat12, 8_usize << 20, 512_u32),
        (omv_fat::Form::Fat16, 96 << 20, 512),
        (omv_fat::Form::Fat32, 300 << 20, 512),
        (omv_fat::Form::Exfat, 64 << 20, 512),
        (omv_fat::Form::Fat12, 8 << 20, 4096),
        (omv_fat::Form::Exfat, 64 << 20, 4096),
    ] {
        let mut disk = Memory::new(sector, vec![0; bytes]);
        let wish = omv_fat::Blueprint {
            form: Some(form),
            scheme: omv_fat::Scheme::Mbr,
            label: "OPENMV".into(),
            serial: 7,
            files: vec![".openmv_disk".into()],
        };
        omv_fat::format(&mut disk, &wish).unwrap();
        let report = check(&mut disk, &Options::default());
        let start = report.volumes[0].volume.start as usize;
        let mut image = Image::new(disk.bytes, sector as usize, start);
        let end = start + report.volumes[0].volume.size as usize;
        image.bytes.truncate(end);
        let said = fsck(&image, "formatted");
        assert_eq!(said, Said::default(), "{form:?} {sector}");
        if let Some(files) = mtools(&image, "formatted") {
            assert_eq!(files.keys().collect::<Vec<_>>(), ["/.openmv_disk"]);
        }
    }
}
