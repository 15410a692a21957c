//! Healthy disks: by `mkfs.fat` with files by mtools, by `mkfs.exfat`, and as cameras make them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::image::{Files, Image};

/// Bytes that tell whose they are and where: no two clusters of the corpus are equal.
pub fn content(name: &str, length: usize) -> Vec<u8> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A script of so many bytes.
fn script(length: usize) -> Vec<u8> {
    let line = b"import sensor\nprint(sensor.get_id())\n";
    line.iter().copied().cycle().take(length).collect()
}

/// What is put on every disk. `unit` is the size of a cluster.
pub fn files(unit: usize) -> Files {
    let mut files = Files::new();
    let mut add = |path: &str, bytes: Vec<u8>| {
        files.insert(path.to_owned(), bytes);
    };
    add("/main.py", script(unit * 3 + 77));
    add("/long.bin", content("long", unit * 12 + 5));
    add("/other.bin", content("other", unit * 7));
    add("/third.bin", content("third", unit * 5 + unit / 2));
    add("/empty.txt", Vec::new());
    add(
        "/A picture with a long name.jpg",
        content("picture", unit * 2 + 1),
    );
    add("/lib/util.py", script(100));
    add("/lib/deep/data.bin", content("data", unit * 4 + 9));
    add("/logs/one.csv", content("one", unit + 1));
    add("/logs/two.csv", content("two", 10));
    files
}

/// A folder for this run.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs a judge; says whether it was content, and what it printed.
pub fn run(name: &str, arguments: &[&str]) -> (bool, String) {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let done = Command::new(name)
        .args(arguments)
        .env("PATH", path)
        .env("MTOOLS_SKIP_CHECK", "1")
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .env("TZ", "UTC")
        .output()
        .unwrap_or_else(|_| {
            panic!("{name} is missing: apt-get install dosfstools exfatprogs mtools")
        });
    let text =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.success(), text)
}

fn must(name: &str, arguments: &[&str]) {
    let (good, text) = run(name, arguments);
    assert!(good, "{name} {arguments:?}: {text}");
}

/// By `mkfs.fat`; files by mtools.
fn by_mkfs(name: &str, bytes: usize, arguments: &[&str]) -> Image {
    let path = folder().join(name);
    let file = path.to_str().unwrap();
    fs::write(&path, vec![0; bytes]).unwrap();
    must(
        "mkfs.fat",
        &[arguments, &["--invariant", "-n", "CORPUS", file]].concat(),
    );
    let boot = fs::read(&path).unwrap();
    let sector = usize::from(u16::from_le_bytes([boot[11], boot[12]]));
    let unit = Image::new(boot, sector, 0).cluster;
    // mtools cannot write to FAT32 with too few clusters: it takes it for FAT16.
    let files = if name == "few" {
        Files::new()
    } else {
        files(unit)
    };
    let folders: &[&str] = if files.is_empty() {
        &[]
    } else {
        &["/lib", "/lib/deep", "/logs"]
    };
    let source = folder().join(format!("{name}.files"));
    let _ = fs::remove_dir_all(&source);
    for folder in folders {
        must("mmd", &["-i", file, &format!("::{folder}")]);
        fs::create_dir_all(source.join(folder.trim_start_matches('/'))).unwrap();
    }
    for (path, bytes) in &files {
        let from = source.join(path.trim_start_matches('/'));
        fs::write(&from, bytes).unwrap();
        must(
            "mcopy",
            &["-i", file, from.to_str().unwrap(), &format!("::{path}")],
        );
    }
    let mut image = Image::new(fs::read(&path).unwrap(), sector, 0);
    image.files = files;
    image
}

/// Puts a volume into the first partition of a disk.
fn partitioned(image: Image, first: usize, kind: u8) -> Image {
    let start = first * image.sector;
    let sectors = (image.bytes.len() / image.sector) as u32;
    let mut bytes = vec![0; start];
    bytes[446..462].copy_from_slice(&[
        0, 0xFE, 0xFF, 0xFF, kind, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    bytes[454..458].copy_from_slice(&(first as u32).to_le_bytes());
    bytes[458..462].copy_from_slice(&sectors.to_le_bytes());
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    bytes.extend(&image.bytes);
    // Some room behind the volume, as disks have it.
    bytes.resize(bytes.len() + 64 * image.sector, 0);
    let files = image.files;
    let mut image = Image::new(bytes, image.sector, start);
    image.files = files;
    image
}

/// By `mkfs.exfat`; files by the rules of the specification, in one piece or as chains.
fn by_mkfs_exfat(name: &str, bytes: usize) -> Image {
    let path = folder().join(name);
    fs::write(&path, vec![0; bytes]).unwrap();
    must(
        "mkfs.exfat",
        &["-c", "4K", "-L", "CORPUS", path.to_str().unwrap()],
    );
    fill_exfat(Image::new(fs::read(&path).unwrap(), 512, 0))
}

fn fill_exfat(mut image: Image) -> Image {
    let unit = image.cluster;
    let mut next = image.root + 4;
    for folder in ["lib", "lib/deep", "logs"] {
        let (parent, name) = folder.rsplit_once('/').unwrap_or(("", folder));
        let parent = (!parent.is_empty()).then(|| image.find(parent));
        image.add_set(parent.as_ref(), name, 0x10, next, unit as u64, false);
        image.mark(next, true);
        next += 1;
    }
    let files = files(unit);
    for (path, bytes) in &files {
        let (parent, name) = path
            .trim_start_matches('/')
            .rsplit_once('/')
            .unwrap_or(("", &path[1..]));
        let parent = (!parent.is_empty()).then(|| image.find(parent));
        let count = bytes.len().div_ceil(unit) as u32;
        let clusters: Vec<u32> = (next..next + count).collect();
        // Some have chains, as PCs write them when the room is in pieces.
        let chained = count > 1 && (path.contains("long") || path.contains("/lib"));
        for cluster in &clusters {
            image.mark(*cluster, true);
        }
        if chained {
            image.allocate(&clusters);
        }
        if count > 0 {
            let place = image.at(next);
            image.poke(place, bytes);
        }
        let first = if count == 0 { 0 } else { next };
        image.add_set(
            parent.as_ref(),
            name,
            0x20,
            first,
            bytes.len() as u64,
            chained,
        );
        next += count;
    }
    image.files = files;
    image
}

/// As FatFs R0.13c in the camera's firmware makes a volume: one table, the label in the root
/// alone, texts without a number. Source: its `f_mkfs`, in micropython's `lib/oofatfs/ff.c`.
fn by_camera(sector: usize, sectors: usize, hidden: usize) -> Image {
    let mut boot = vec![0; sector * sectors];
    boot[..11].copy_from_slice(b"\xEB\xFE\x90MSDOS5.0");
    boot[11..13].copy_from_slice(&(sector as u16).to_le_bytes());
    boot[13] = 1;
    boot[14] = 1;
    boot[16] = 1;
    boot[17..19].copy_from_slice(&512_u16.to_le_bytes());
    boot[19..21].copy_from_slice(&(sectors as u16).to_le_bytes());
    boot[21] = 0xF8;
    boot[22] = 1;
    boot[24] = 63;
    boot[26] = 255;
    boot[28..32].copy_from_slice(&(hidden as u32).to_le_bytes());
    boot[36] = 0x80;
    boot[38] = 0x29;
    boot[39..43].copy_from_slice(&0x5653_0000_u32.to_le_bytes());
    boot[43..62].copy_from_slice(b"NO NAME    FAT     ");
    boot[510..512].copy_from_slice(&[0x55, 0xAA]);
    boot[sector..sector + 3].copy_from_slice(&[0xF8, 0xFF, 0xFF]);
    let mut image = Image::new(boot, sector, 0);
    image.add_short(None, b"OPENMV     ", 0, 0x08, 0, 0);
    let unit = image.cluster;
    // Small enough for the 111 KiB of an H7.
    let mut next = 2;
    let mut put = |image: &mut Image,
                   dir: Option<&str>,
                   raw: &[u8; 11],
                   case: u8,
                   path: &str,
                   bytes: Vec<u8>| {
        let count = bytes.len().div_ceil(unit) as u32;
        let clusters: Vec<u32> = (next..next + count).collect();
        image.allocate(&clusters);
        if count > 0 {
            let place = image.at(next);
            image.poke(place, &bytes);
        }
        let dir = dir.map(|dir| image.find(dir));
        let first = if count > 0 { next } else { 0 };
        image.add_short(dir.as_ref(), raw, case, 0x20, first, bytes.len() as u32);
        image.files.insert(path.to_owned(), bytes);
        next += count;
    };
    put(
        &mut image,
        None,
        b"MAIN    PY ",
        0x18,
        "/main.py",
        script(unit * 3 + 77),
    );
    put(
        &mut image,
        None,
        b"README  TXT",
        0x10,
        "/README.txt",
        script(unit / 2),
    );
    put(
        &mut image,
        None,
        b"LONG    BIN",
        0x18,
        "/long.bin",
        content("long", unit * 12 + 5),
    );
    put(
        &mut image,
        None,
        b"OTHER   BIN",
        0x18,
        "/other.bin",
        content("other", unit * 7),
    );
    put(
        &mut image,
        None,
        b"THIRD   BIN",
        0x18,
        "/third.bin",
        content("third", unit * 5 + unit / 2),
    );
    put(
        &mut image,
        None,
        b"EMPTY   TXT",
        0x18,
        "/empty.txt",
        Vec::new(),
    );
    let own = 40;
    image.allocate(&[own]);
    image.add_short(None, b"LIB        ", 0x08, 0x10, own, 0);
    let place = image.at(own);
    for (at, name, first) in [(0, b".          ", own), (32, b"..         ", 0)] {
        image.poke(place + at, name);
        image.poke(place + at + 11, &[0x10]);
        image.poke(place + at + 24, &[0xD5, 0x56]);
        image.poke(place + at + 26, &(first as u16).to_le_bytes());
    }
    put(
        &mut image,
        Some("/lib"),
        b"UTIL    PY ",
        0x18,
        "/lib/util.py",
        script(100),
    );
    image
}

/// The disks of the corpus, by name; made once for all tests.
pub fn all() -> Vec<(&'static str, Image)> {
    static ALL: OnceLock<Vec<(&'static str, Image)>> = OnceLock::new();
    ALL.get_or_init(make).clone()
}

fn make() -> Vec<(&'static str, Image)> {
    let h7 = {
        // What an H7 shows on USB: a made-up table before the flash, blocks 1 to 255 without a
        // medium behind them.
        let inner = by_camera(512, 256, 256);
        let mut image = partitioned(inner, 256, 0x01);
        image.bytes.truncate((256 + 256) * 512);
        image.unreadable = (1..256).collect();
        image
    };
    let small = {
        let mut image = by_mkfs("few", 8 << 20, &["-F", "32", "-s", "1"]);
        image.known = false;
        image
    };
    let ours = {
        let mut disk = omv_fat::Memory::new(4096, vec![0; 32 << 20]);
        let wish = omv_fat::Blueprint {
            form: Some(omv_fat::Form::Exfat),
            scheme: omv_fat::Scheme::Whole,
            label: "CORPUS".into(),
            serial: 1,
            files: Vec::new(),
        };
        omv_fat::format(&mut disk, &wish).unwrap();
        fill_exfat(Image::new(disk.bytes, 4096, 0))
    };
    vec![
        ("fat12", by_mkfs("fat12", 4 << 20, &["-F", "12", "-s", "2"])),
        ("fat16", by_mkfs("fat16", 8 << 20, &["-F", "16", "-s", "2"])),
        (
            "fat16 4096",
            by_mkfs(
                "fat16-4096",
                20 << 20,
                &["-F", "16", "-s", "1", "-S", "4096"],
            ),
        ),
        (
            "fat32",
            by_mkfs("fat32", 36 << 20, &["-F", "32", "-s", "1"]),
        ),
        (
            "fat32 mbr",
            partitioned(
                by_mkfs(
                    "fat32-mbr",
                    36 << 20,
                    &["-F", "32", "-s", "1", "-h", "2048"],
                ),
                2048,
                0x0C,
            ),
        ),
        (
            "fat16 mbr",
            partitioned(
                by_mkfs("fat16-mbr", 8 << 20, &["-F", "16", "-s", "2", "-h", "63"]),
                63,
                0x06,
            ),
        ),
        ("fat32 few", small),
        ("rt1062", by_camera(4096, 1024, 0)),
        ("h7", h7),
        ("exfat", by_mkfs_exfat("exfat", 16 << 20)),
        (
            "exfat mbr",
            partitioned(by_mkfs_exfat("exfat-mbr", 16 << 20), 2048, 0x07),
        ),
        ("exfat 4096", ours),
    ]
}
