//! Healthy disks with noise in them, thousands of times: no check, repair or walk panics, hangs,
//! or leaves a disk that a second repair would change again and again.

use std::time::{Duration, Instant};

use omv_fat::{
    Blueprint, Form, Memory, Options, Overlay, Scheme, Sectors, check, format, repair, walk,
};

/// Disks that are harmed, each in its own way. `OMV_NOISE` asks for more.
const ROUNDS: u64 = 300;

/// Marks some clusters used: single ones, and on exFAT a run of 24.
fn lose(disk: &mut Memory, start: usize) {
    let byte = |at: usize| usize::from(disk.bytes[start + at]);
    let word = |at: usize| byte(at) | byte(at + 1) << 8;
    if byte(3) == usize::from(b'E') {
        let bitmap = start + (word(88) | word(90) << 16) * (1 << byte(108));
        disk.bytes[bitmap + 3..bitmap + 5].fill(0xFF);
        disk.bytes[bitmap + 6] = 0x0F;
        return;
    }
    let (fat, length) = (word(14) * word(11), word(22) * word(11));
    for copy in 0..2 {
        let at = start + fat + copy * length;
        disk.bytes[at + 9..at + 24].fill(0xFF);
    }
}

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }
}

/// Small disks with some files, the clusters of which are linked.
fn bases() -> Vec<Memory> {
    let make = |form, sector: u32, bytes: usize, scheme| {
        let mut disk = Memory::new(sector, vec![0; bytes]);
        let names = [
            "util.py",
            "a long name of a file.txt",
            ".openmv_disk",
            "other.py",
        ];
        let files = names.map(str::to_owned).to_vec();
        let wish = Blueprint {
            form: Some(form),
            scheme,
            label: "NOISE".into(),
            serial: 1,
            files,
        };
        format(&mut disk, &wish).unwrap();
        let start = check(&mut disk, &Options::default()).volumes[0]
            .volume
            .start as usize;
        lose(&mut disk, start);
        // What is lost is kept as files in a folder, so now there are some.
        let work = repair(&mut disk, &Options::default()).unwrap();
        work.write(&mut disk, |_| true).unwrap();
        let report = check(&mut disk, &Options::default());
        assert!(
            report.is_healthy() && report.volumes[0].files > 5,
            "{:#?}",
            report.findings
        );
        disk
    };
    vec![
        make(Form::Fat12, 512, 1 << 19, Scheme::Whole),
        make(Form::Fat12, 4096, 1 << 20, Scheme::Mbr),
        make(Form::Exfat, 512, 2 << 20, Scheme::Mbr),
        make(Form::Exfat, 4096, 16 << 20, Scheme::Whole),
    ]
}

/// Writes noise where it hurts: mostly small numbers into places that are in use.
fn harm(disk: &mut Memory, noise: &mut Noise) {
    let used: Vec<usize> = (0..disk.bytes.len() / 32)
        .filter(|at| disk.bytes[at * 32..][..32] != [0; 32])
        .collect();
    for _ in 0..1 + noise.below(12) {
        let at = match noise.below(4) {
            0 => noise.below(disk.bytes.len().min(1 << 17)),
            _ => used[noise.below(used.len())] * 32 + noise.below(64),
        };
        let length = [1, 2, 4, 32, 512][noise.below(5)].min(disk.bytes.len() - at);
        let kind = noise.below(4);
        for place in &mut disk.bytes[at..at + length] {
            *place = match kind {
                0 => 0,
                1 => 0xFF,
                2 => noise.below(16) as u8,
                _ => noise.next() as u8,
            };
        }
    }
}

#[test]
fn a_disk_with_noise_in_it_is_checked_repaired_and_read_without_a_crash() {
    let asked = std::env::var("OMV_NOISE")
        .ok()
        .and_then(|rounds| rounds.parse().ok());
    let (bases, options) = (bases(), Options::default());
    for round in 0..asked.unwrap_or(ROUNDS) {
        let mut noise = Noise(
            round
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .wrapping_add(0x1234_5678_9ABC_DEF1),
        );
        let mut disk = bases[round as usize % bases.len()].clone();
        harm(&mut disk, &mut noise);
        let begun = Instant::now();
        let work =
            repair(&mut disk, &options).unwrap_or_else(|fault| panic!("round {round}: {fault}"));
        let mut mended = Overlay::new(&mut disk);
        for (sector, bytes) in &work.writes {
            mended.write(*sector, bytes).unwrap();
        }
        let again = repair(&mut mended, &options).unwrap();
        let first = work.after.findings.len();
        assert!(
            again.after.findings.len() <= first.max(1),
            "round {round}: {:#?}",
            again.after.findings
        );
        if let Some(mut walk) = walk(&mut mended, None) {
            for entry in walk.entries().to_vec().iter().take(64) {
                let mut left = 1 << 20;
                walk.read(entry, |piece| {
                    left -= piece.len().min(left);
                    left > 0
                });
            }
        }
        let _ = check(&mut mended, &options);
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "round {round} took {:?}",
            begun.elapsed()
        );
    }
}
