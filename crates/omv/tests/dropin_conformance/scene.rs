//! A device, the files beside it, and the command lines to be run on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use omv_sim::nor::Speed;
use omv_sim::rt1062::Quirks;
use omv_sim::rt1062::chip::{Chip, FUSE_WORDS};
use omv_sim::rt1062::sample;
use omv_sim::serve::uart::Pty;
use omv_wire::{mboot, sdp};

/// Some command lines on one device.
pub struct Scene {
    /// What it is about.
    pub title: String,
    /// `blhost` or `sdphost`.
    pub tool: String,
    quirks: Quirks,
    /// The lines as they stand in the file.
    pub lines: Vec<String>,
}

impl Scene {
    /// Reads the file of scenes.
    pub fn read(text: &str) -> Vec<Self> {
        let mut scenes: Vec<Self> = Vec::new();
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let Some(head) = line.strip_prefix("= ") else {
                scenes.last_mut().unwrap().lines.push(line.to_owned());
                continue;
            };
            let (title, rest) = head.split_once(": ").unwrap();
            let mut words = rest.split(", ");
            let tool = words.next().unwrap().to_owned();
            let mut quirks = Quirks::default();
            words.for_each(|quirk| assert!(quirks.set(quirk), "{quirk}"));
            let (title, lines) = (title.to_owned(), Vec::new());
            scenes.push(Self {
                title,
                tool,
                quirks,
                lines,
            });
        }
        scenes
    }

    /// A new device for it.
    pub fn stage(&self) -> Stage {
        let chip = Chip::new([0x1A2B_3C4D, 0x0060_1062], QUICK);
        let line = if self.tool == "sdphost" {
            Line::Rom(Pty::open_rom(&chip, self.quirks).unwrap())
        } else {
            Line::Loader(Pty::open(&chip).unwrap())
        };
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files() {
            fs::write(folder.path().join(name), content).unwrap();
        }
        Stage { chip, line, folder }
    }
}

/// Flash that needs no time.
pub const QUICK: Speed = Speed {
    erase: Duration::ZERO,
    program: Duration::ZERO,
};

/// Files every scene finds.
fn files() -> [(&'static str, Vec<u8>); 14] {
    [
        ("input.bin", (0..1300u32).map(|at| (at % 251) as u8).collect()),
        ("empty.bin", Vec::new()),
        ("image.bin", sample::flashloader()),
        (
            "good.txt",
            b"# a batch\nget-property 1\n\nfill-memory 0x2000 16 0x11223344 # filled\nread-memory 0x2000 '16'\n"
                .to_vec(),
        ),
        ("bad.txt", b"get-property 99\nget-property 1\n".to_vec()),
        ("unknown.txt", b"get-property 1\nnonsense 1\n".to_vec()),
        ("wrong.txt", b"read-memory 0xZZ 4\n".to_vec()),
        ("image.hex", hex_file(&[(0x6060_0000, 1300), (0x6060_4000, 20)])),
        ("image.srec", srec_file(&[(0x400, 300), (0, 20)])),
        ("gap.hex", b":020000021000EC\n:0400000001020304F2\n:0400050001020304ED\n".to_vec()),
        ("damaged.hex", b":0100000003FC\n:0100010003FC\n:00000001FF\n".to_vec()),
        ("damaged.srec", b"S1040000AA51\nS1050001AA\n".to_vec()),
        ("twice.hex", b":0100000003FC\n:0100000004FB\n:00000001FF\n".to_vec()),
        ("like.hex", b":0100000003FF\n".to_vec()),
    ]
}

/// Pieces of 16 bytes, each with its address.
fn lines(parts: &[(u32, u32)], mut line: impl FnMut(u32, &[u8])) {
    for &(start, size) in parts {
        let bytes: Vec<u8> = (0..size).map(|at| (at % 253) as u8).collect();
        for (at, piece) in bytes.chunks(16).enumerate() {
            line(start + 16 * at as u32, piece);
        }
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Intel HEX, with a record of the upper half before each address.
fn hex_file(parts: &[(u32, u32)]) -> Vec<u8> {
    let mut text = String::new();
    let mut record = |bytes: Vec<u8>| {
        let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        text.push_str(&format!(":{}{sum:02X}\r\n", digits(&bytes)));
    };
    lines(parts, |address, bytes| {
        let [a, b, c, d] = address.to_be_bytes();
        record(vec![2, 0, 0, 4, a, b]);
        record([&[bytes.len() as u8, c, d, 0], bytes].concat());
    });
    record(vec![0, 0, 0, 1]);
    text.into_bytes()
}

/// S-records with addresses of four bytes.
fn srec_file(parts: &[(u32, u32)]) -> Vec<u8> {
    let mut text = "S0030000FC\n".to_owned();
    lines(parts, |address, bytes| {
        let size = [bytes.len() as u8 + 5];
        let bytes = [&size[..], &address.to_be_bytes(), bytes].concat();
        let sum = bytes
            .iter()
            .fold(0xFFu8, |sum, byte| sum.wrapping_sub(*byte));
        text.push_str(&format!("S3{}{sum:02X}\n", digits(&bytes)));
    });
    text.push_str("S70500000000FA\n");
    text.into_bytes()
}

/// A device with its files.
pub struct Stage {
    /// What stays of the device.
    pub chip: Chip,
    line: Line,
    folder: tempfile::TempDir,
}

enum Line {
    Loader(Pty<mboot::Leave>),
    Rom(Pty<sdp::Leave>),
}

/// What is left when the lines have run.
#[derive(PartialEq, Eq)]
pub struct Remains {
    /// Flash.
    pub flash: Vec<u8>,
    /// Fuses.
    pub fuses: [u32; FUSE_WORDS],
    /// Files by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// How the device left, if it did.
    pub left: String,
}

impl Stage {
    /// The device's name.
    pub fn port(&self) -> &str {
        let path = match &self.line {
            Line::Loader(pty) => pty.path(),
            Line::Rom(pty) => pty.path(),
        };
        path.to_str().unwrap()
    }

    /// Whether the device is still there.
    pub fn stays(&self) -> bool {
        match &self.line {
            Line::Loader(pty) => pty.left().is_none(),
            Line::Rom(pty) => pty.left().is_none(),
        }
    }

    /// Where the files are.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// What is left.
    pub fn remains(&self) -> Remains {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            (name(&path), fs::read(&path).unwrap())
        });
        // All work on the flash is over.
        self.chip.settle(Duration::from_secs(24 * 60 * 60));
        let parts = self.chip.lock();
        Remains {
            flash: parts.nor.read(0, parts.nor.size()),
            fuses: parts.fuses,
            files: files.collect(),
            left: match &self.line {
                Line::Loader(pty) => format!("{:?}", pty.left()),
                Line::Rom(pty) => format!("{:?}", pty.left()),
            },
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
