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
fn files() -> [(&'static str, Vec<u8>); 7] {
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
    ]
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
