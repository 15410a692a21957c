//! The emulated chip: a process that runs `emulator.py` and is asked line by line.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use omv_boards::{LoaderRole, State};
use omv_plan::{Image, ZipSource, loader};
use omv_sim::nor::SECTOR;
use omv_sim::rt1062::chip::{Chip, FLASH_SIZE};
use omv_sim::rt1062::sample;

use crate::bench::board;

/// What the loader does when it has done all it can without the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It waits for the host.
    Waits,
    /// It went to other code, with this stack pointer and this vector table.
    Jumped {
        address: u32,
        stack: u32,
        vectors: u32,
    },
    /// It has reset the chip.
    Reset,
    /// It took no transfer from the host, and never will.
    Deaf,
    /// It crashed; what the emulator says of it.
    Crashed(String),
}

/// An answer of the emulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub doing: Doing,
    /// Since power came, on the chip's clock.
    pub now: Duration,
    /// What the loader sent since the last question.
    pub reports: Vec<Vec<u8>>,
}

/// The real loaders: of the package that the stage `judges` fetches.
pub fn loader_file(role: LoaderRole) -> Image {
    let wheel = fs::read_dir(judges())
        .expect("the folder of the judges")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("openmv_ota-1.0.7"))
        .expect("the wheel of openmv-ota 1.0.7");
    let mut source = ZipSource::new("openmv-ota", fs::read(wheel).unwrap()).unwrap();
    // Its SHA-256 is that of the board file, or this is an error.
    loader(&mut source, board(), role, false).unwrap()
}

fn judges() -> PathBuf {
    let judges = std::env::var_os("OMV_JUDGES").expect(
        "OMV_JUDGES is not set: `cargo xtask test judges loaders` fetches the judges and runs this",
    );
    PathBuf::from(judges)
}

/// One emulated chip.
pub struct Emulator {
    child: Child,
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
}

impl Emulator {
    /// A chip without power, its flash blank, its fuses clear.
    pub fn new() -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/real_loaders/emulator.py"
        );
        let mut child = Command::new(judges().join("unicorn/bin/python"))
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python of the judges: `cargo xtask test judges` installs it");
        let answer = BufReader::new(child.stdout.take().unwrap());
        let mut emulator = Self {
            ask: child.stdin.take(),
            child,
            answer,
        };
        let found = hex(&sample::flash_configuration());
        emulator.question(&format!("found {found}"));
        emulator
    }

    fn question(&mut self, line: &str) -> String {
        let ask = self.ask.as_mut().unwrap();
        writeln!(ask, "{line}").expect("the emulator runs");
        ask.flush().expect("the emulator runs");
        let mut answer = String::new();
        self.answer.read_line(&mut answer).unwrap();
        assert!(answer.ends_with('\n'), "the emulator died of `{line:.60}`");
        answer.truncate(answer.trim_end().len());
        answer
    }

    fn act(&mut self, line: &str) -> Answer {
        let answer = self.question(line);
        let mut words = answer.split(' ');
        let mut next = || words.next().expect("a word of the emulator's");
        let doing = next();
        let now = Duration::from_micros(next().parse().unwrap());
        let mut number = || next().parse().unwrap();
        let doing = match doing {
            "waits" => Doing::Waits,
            "jumps" => Doing::Jumped {
                address: number(),
                stack: number(),
                vectors: number(),
            },
            "resets" => Doing::Reset,
            "deaf" => Doing::Deaf,
            _ => Doing::Crashed(answer.clone()),
        };
        let reports = match doing {
            Doing::Crashed(_) => Vec::new(),
            _ => words.map(bytes).collect(),
        };
        Answer {
            doing,
            now,
            reports,
        }
    }

    /// Gives it the flash and the fuses of a virtual camera.
    pub fn take_parts(&mut self, chip: &Chip) {
        let parts = chip.lock();
        self.question("blank");
        for offset in (0..FLASH_SIZE as usize).step_by(SECTOR) {
            if !parts.nor.is_blank(offset..offset + SECTOR) {
                let sector = hex(&parts.nor.read(offset, SECTOR));
                self.question(&format!("place {offset} {sector}"));
            }
        }
        for (word, value) in parts.fuses.iter().enumerate() {
            self.question(&format!("fuse {word} {value}"));
        }
    }

    /// Gives a virtual camera its flash and fuses.
    pub fn give_parts(&mut self, chip: &Chip) {
        let (flash, fuses) = (self.flash(), self.fuses());
        let mut parts = chip.lock();
        parts.nor.place(0, &flash);
        parts.fuses = fuses;
    }

    /// The whole flash.
    pub fn flash(&mut self) -> Vec<u8> {
        let mut flash = vec![0xFF; FLASH_SIZE as usize];
        let answer = self.question("sectors");
        let mut words = answer.split_ascii_whitespace();
        while let (Some(offset), Some(content)) = (words.next(), words.next()) {
            let offset: usize = offset.parse().unwrap();
            flash[offset..offset + SECTOR].copy_from_slice(&bytes(content));
        }
        flash
    }

    /// All fuse words.
    pub fn fuses(&mut self) -> [u32; 64] {
        let answer = self.question("fuses");
        let words: Vec<u32> = answer
            .split(' ')
            .map(|word| word.parse().unwrap())
            .collect();
        words.try_into().expect("64 words")
    }

    /// Puts bytes into the flash.
    pub fn place(&mut self, offset: usize, content: &[u8]) {
        self.question(&format!("place {offset} {}", hex(content)));
    }

    /// Holds the pin WAKEUP high or low.
    pub fn pin(&mut self, high: bool) {
        self.question(&format!("pin {}", u8::from(high)));
    }

    /// From now on the ROM's flash driver cannot set the flash up.
    pub fn break_flash(&mut self) {
        self.question("fails 1");
    }

    /// Power comes, and this loader starts.
    pub fn start(&mut self, which: State) -> Answer {
        let (name, role) = match which {
            State::Sbl => ("sbl", LoaderRole::Sbl),
            _ => ("flashloader", LoaderRole::Flashloader),
        };
        let code = hex(&loader_file(role).bytes);
        self.act(&format!("start {name} {code}"))
    }

    /// Lets time pass until then, counted from the start, unless something happens before.
    pub fn run(&mut self, until: Duration) -> Answer {
        self.act(&format!("run {}", until.as_millis()))
    }

    /// The host sets the configuration.
    pub fn configure(&mut self) -> Answer {
        self.act("configure")
    }

    /// The host sends one transfer.
    pub fn out(&mut self, report: &[u8]) -> Answer {
        self.act(&format!("out {}", hex(report)))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.ask = None;
        let _ = self.child.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a digit") as u8;
    let pair = |pair: &[u8]| digit(pair[0]) << 4 | digit(pair[1]);
    hex.as_bytes().chunks_exact(2).map(pair).collect()
}
