//! Disks: any bytes as one, and healthy ones with some bytes changed.

use std::sync::OnceLock;

use omv_fat::{
    Blueprint, Change, Fault, Form, Memory, Options, Overlay, Scheme, Sectors, check, format,
    repair, walk,
};

/// A disk that begins with some bytes and goes on with zeros.
struct Begun<'a> {
    bytes: &'a [u8],
    sectors: u64,
}

/// Sectors of it: large enough for lies about size, and a table of it can still be read through.
const SECTORS: u64 = 1 << 16;

impl Sectors for Begun<'_> {
    fn sector_size(&self) -> u32 {
        512
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        if first + into.len() as u64 / 512 > self.sectors {
            return Err(Fault::PastEnd { sector: first });
        }
        into.fill(0);
        let rest = self.bytes.get(first as usize * 512..).unwrap_or(&[]);
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        Ok(())
    }

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }
}

/// Checks, plans a repair, and reads every file, before and after. A repair must not make a disk
/// worse, and a second one must find nothing that the first could have done.
fn all(disk: &mut dyn Sectors) {
    let options = Options::default();
    let before = check(disk, &options);
    files(disk);
    let Ok(work) = repair(disk, &options) else {
        return;
    };
    let mut mended = Overlay::new(disk);
    for (sector, bytes) in &work.writes {
        if mended.write(*sector, bytes).is_err() {
            return;
        }
    }
    let _ = (before.worst(), work.loss(), work.after.is_healthy());
    files(&mut mended);
}

fn files(disk: &mut dyn Sectors) {
    let Some(mut walk) = walk(disk, None) else {
        return;
    };
    // A few: what a file says of its length is no limit to what is read.
    for entry in walk.entries().to_vec().iter().take(16) {
        let mut left = 1 << 16;
        walk.read(entry, |piece| {
            left -= piece.len().min(left);
            left > 0
        });
    }
}

/// Any bytes as a disk.
pub fn disk(bytes: &[u8]) {
    all(&mut Begun {
        bytes,
        sectors: SECTORS,
    });
}

/// Any bytes as the note of an interrupted save, and that on a disk it may be about.
pub fn note(bytes: &[u8]) {
    // A fuzzer does not find a checksum by itself.
    let mut sealed = [b"OMVCHG01", bytes].concat();
    sealed.extend(crc32(&sealed).to_le_bytes());
    assert!(Change::decode(bytes).is_none_or(|change| change.encode() == bytes));
    let Some(change) = Change::decode(&sealed) else {
        return;
    };
    assert_eq!(Change::decode(&change.encode()).as_ref(), Some(&change));
    for disk in healthy() {
        let mut disk = disk.clone();
        let before = disk.bytes.clone();
        let size = disk.sector_size();
        // A note of another disk changes nothing; what a right one does is its own test's matter.
        if change.recover(&mut disk).is_err() || change.sector_size != size {
            assert!(disk.bytes.len() == before.len());
        }
    }
}

/// CRC-32 as in Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

/// Healthy disks, small ones.
fn healthy() -> &'static [Memory] {
    static HEALTHY: OnceLock<Vec<Memory>> = OnceLock::new();
    HEALTHY.get_or_init(|| {
        let make = |form, sector: u32, bytes: usize| {
            let mut disk = Memory::new(sector, vec![0; bytes]);
            let files = ["a long name of a file.txt", "main.py", ".openmv_disk"];
            let files = files.map(str::to_owned).to_vec();
            let (scheme, label) = (Scheme::Whole, "FUZZ".to_owned());
            let wish = Blueprint {
                form: Some(form),
                scheme,
                label,
                serial: 1,
                files,
            };
            format(&mut disk, &wish).expect("a size that fits");
            // What is lost is kept as files in a folder, so that there are some.
            lose(&mut disk);
            let work = repair(&mut disk, &Options::default()).expect("a small repair");
            work.write(&mut disk, |_| true).expect("memory");
            disk
        };
        vec![
            make(Form::Fat12, 512, 1 << 19),
            make(Form::Fat12, 4096, 1 << 20),
            make(Form::Exfat, 512, 2 << 20),
        ]
    })
}

/// Marks some clusters used.
fn lose(disk: &mut Memory) {
    let byte = |at: usize| usize::from(disk.bytes[at]);
    let word = |at: usize| byte(at) | byte(at + 1) << 8;
    if byte(3) == usize::from(b'E') {
        let bitmap = (word(88) | word(90) << 16) * (1 << byte(108));
        disk.bytes[bitmap + 3..bitmap + 5].fill(0xFF);
        return;
    }
    let (fat, length) = (word(14) * word(11), word(22) * word(11));
    for copy in 0..2 {
        let at = fat + copy * length;
        disk.bytes[at + 9..at + 24].fill(0xFF);
    }
}

/// A healthy disk, changed: `which, (place u24, count u8, bytes)*`. Places are folded so that most
/// of them hit what describes the disk.
pub fn changed(bytes: &[u8]) {
    let Some((which, mut rest)) = bytes.split_first() else {
        return;
    };
    let mut disk = healthy()[usize::from(*which) % 3].clone();
    while let [a, b, c, count, tail @ ..] = rest {
        let place = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        let (piece, after) = tail.split_at(tail.len().min(usize::from(*count)));
        let at = place % disk.bytes.len();
        let length = piece.len().min(disk.bytes.len() - at);
        disk.bytes[at..at + length].copy_from_slice(&piece[..length]);
        rest = after;
    }
    all(&mut disk);
}
