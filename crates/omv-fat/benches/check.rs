//! The check beside `fsck.fat -n`: a sparse card of 32 GB with 100,000 files, in turns, each in a
//! process of its own.
//!
//! Prints seconds and peak memory; asserts nothing. `cargo bench -p omv-fat`. Needs `mkfs.fat` and
//! `fsck.fat` of dosfstools. With `OMV_PROGRAM` it is `omv disk check` that runs.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use omv_fat::{Fault, Options, Sectors, check};

const BYTES: u64 = 32_000_000_000;
const FOLDERS: u32 = 1000;
const FILES: u32 = 100;
/// Runs of each, of which the median is printed.
const RUNS: usize = 9;

/// An image file.
struct Card {
    file: File,
    sectors: u64,
}

impl Sectors for Card {
    fn sector_size(&self) -> u32 {
        512
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        let sought = self.file.seek(SeekFrom::Start(first * 512));
        let read = sought.and_then(|_| self.file.read_exact(into));
        read.map_err(|_| Fault::Unreadable { sector: first })
    }

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let [_, word, path] = words.as_slice()
        && word == "--card"
    {
        return one(path);
    }
    // `cargo test --benches` runs this too, and must not take a minute.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&folder).expect("a folder");
    let card = folder.join("card.img");
    if !tool("mkfs.fat").exists() {
        println!("mkfs.fat is missing (apt-get install dosfstools): nothing to compare with");
        return;
    }
    make(&card);
    let path = card.clone().into_os_string();
    let ours: Vec<OsString> = match std::env::var_os("OMV_PROGRAM") {
        Some(program) => vec![program, "disk".into(), "check".into(), path.clone()],
        None => vec![words[0].clone().into(), "--card".into(), path.clone()],
    };
    let theirs = [tool("fsck.fat").into_os_string(), "-n".into(), path];
    let (mut our_times, mut their_times, mut our_peak, mut their_peak) =
        (Vec::new(), Vec::new(), 0.0_f64, 0.0_f64);
    for _ in 0..RUNS {
        let (time, peak) = run(&ours);
        our_times.push(time);
        our_peak = our_peak.max(peak);
        let (time, peak) = run(&theirs);
        their_times.push(time);
        their_peak = their_peak.max(peak);
    }
    let _ = fs::remove_file(card);
    let (ours, theirs) = (median(our_times), median(their_times));
    println!(
        "100,000 files in 1,000 folders, {} GB, sparse; median of {RUNS}, in turns",
        BYTES / 1_000_000_000
    );
    println!("ours         {ours:.3} s  {our_peak:.1} MiB");
    println!("fsck.fat -n  {theirs:.3} s  {their_peak:.1} MiB");
    println!(
        "ratio        {:.2}     {:.2}      goal <= 1, <= 1",
        ours / theirs,
        our_peak / their_peak
    );
}

/// Checks a card, as a process of its own.
fn one(path: &str) {
    let mut file = File::open(path).expect("the card");
    let sectors = file.seek(SeekFrom::End(0)).expect("its size") / 512;
    let report = check(&mut Card { file, sectors }, &Options::default());
    let files: u64 = report.volumes.iter().map(|seen| seen.files).sum();
    println!("{files} files, {} findings", report.findings.len());
    assert!(
        report.is_healthy() && files == u64::from(FOLDERS * FILES),
        "{:#?}",
        report.findings
    );
}

fn tool(name: &str) -> PathBuf {
    Path::new("/usr/sbin").join(name)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Seconds and peak memory in MiB, asked for while it runs.
fn run(words: &[OsString]) -> (f64, f64) {
    let begun = Instant::now();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut peak = 0.0_f64;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) / 1024.0);
        if let Some(status) = child.try_wait().expect("a child") {
            assert!(status.success(), "{words:?}: {status}");
            return (begun.elapsed().as_secs_f64(), peak);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Makes the card: `mkfs.fat`, then folders and files written straight into it.
fn make(card: &Path) {
    File::create(card)
        .and_then(|file| file.set_len(BYTES))
        .expect("a sparse file");
    let made = Command::new(tool("mkfs.fat"))
        .args(["-F", "32"])
        .arg(card)
        .output()
        .expect("mkfs.fat");
    assert!(made.status.success());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(card)
        .expect("the card");
    let mut boot = [0; 512];
    file.read_exact(&mut boot).expect("the boot sector");
    let u16_at = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    let u32_at = |at: usize| {
        u64::from(u32::from_le_bytes(
            boot[at..at + 4].try_into().expect("four bytes"),
        ))
    };
    let cluster = u64::from(boot[13]) * 512;
    let (fat, length) = (u16_at(14) * 512, u32_at(36) * 512);
    let data = fat + 2 * length;
    let total = (u32_at(32) * 512 - data) / cluster;
    let at = |number: u32| data + u64::from(number - 2) * cluster;
    let mut table = vec![0x0FFF_FFF8_u32, 0x0FFF_FFFF];
    let mut put = |place: u64, bytes: &[u8]| {
        file.seek(SeekFrom::Start(place))
            .and_then(|_| file.write_all(bytes))
            .expect("room");
    };
    // The root's chain, then a cluster a folder, then the files: one to three clusters each.
    let root = (u64::from(FOLDERS) * 32).div_ceil(cluster) as u32;
    for number in 0..root {
        table.push(if number + 1 == root {
            0x0FFF_FFFF
        } else {
            3 + number
        });
    }
    let first = 2 + root;
    table.resize(table.len() + FOLDERS as usize, 0x0FFF_FFFF);
    let mut next = first + FOLDERS;
    let mut names = Vec::new();
    for folder in 0..FOLDERS {
        names.extend(entry(
            &format!("DIR{folder:05}   "),
            0x10,
            first + folder,
            0,
        ));
        let mut inside = entry(".          ", 0x10, first + folder, 0);
        inside.extend(entry("..         ", 0x10, 0, 0));
        for number in 0..FILES {
            let count = 1 + number % 3;
            inside.extend(entry(
                &format!("FILE{number:04}BIN"),
                0x20,
                next,
                count * cluster as u32 - 7,
            ));
            for one in 0..count {
                table.push(if one + 1 == count {
                    0x0FFF_FFFF
                } else {
                    next + one + 1
                });
            }
            next += count;
        }
        put(at(first + folder), &inside);
    }
    put(at(2), &names);
    let bytes: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    put(fat, &bytes);
    put(fat + length, &bytes);
    let free = total as u32 - (table.len() as u32 - 2);
    put(u16_at(48) * 512 + 488, &free.to_le_bytes());
}

fn entry(name: &str, attributes: u8, first: u32, size: u32) -> Vec<u8> {
    let mut entry = name.as_bytes().to_vec();
    entry.resize(32, 0);
    entry[11] = attributes;
    for at in [16, 18, 24] {
        entry[at..at + 2].copy_from_slice(&0x56D5_u16.to_le_bytes());
    }
    entry[20..22].copy_from_slice(&((first >> 16) as u16).to_le_bytes());
    entry[26..28].copy_from_slice(&(first as u16).to_le_bytes());
    entry[28..32].copy_from_slice(&size.to_le_bytes());
    entry
}
