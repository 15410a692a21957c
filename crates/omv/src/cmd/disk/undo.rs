//! What a repair wrote over, as readable text, and the way back.
//!
//! ```text
//!   omv disk undo 1
//!   size 4194304
//!   sector 4096
//!   0 EBFE90...      a sector's number and what it held
//! ```

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use omv_fat::{Sectors, Work};
use serde_json::json;

use super::args::Undo;
use super::device::Access;
use super::opened::{self, Opened};
use crate::cli::Common;
use crate::cmd::work;
use crate::fail::Fail;
use crate::output::Output;

const HEAD: &str = "omv disk undo 1";
/// Bytes of a file that is read.
const LIMIT: u64 = 1 << 30;

/// What a file says.
struct Kept {
    size: u64,
    sector: u32,
    sectors: Vec<(u64, Vec<u8>)>,
}

/// A name that is not taken.
pub fn unused(wish: &Path) -> PathBuf {
    let numbered = (2..).map(|number| wish.with_file_name(format!("omv-undo-{number}.txt")));
    let mut names = std::iter::once(wish.to_owned()).chain(numbered);
    names.find(|name| !name.exists()).unwrap_or_default()
}

/// Writes the file; one that is there already is never replaced.
pub fn write(path: &Path, disk: &Opened, work: &Work) -> Result<(), Fail> {
    let mut text = format!(
        "{HEAD}\nsize {}\nsector {}\n",
        disk.size(),
        disk.sector_size()
    );
    for (sector, bytes) in &work.undo {
        let _ = write!(text, "{sector} ");
        for byte in bytes {
            let _ = write!(text, "{byte:02X}");
        }
        text.push('\n');
    }
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| Fail::file(path, "writing", error))
}

fn parse(text: &str) -> Option<Kept> {
    let mut lines = text.lines();
    if lines.next()? != HEAD {
        return None;
    }
    let size = lines.next()?.strip_prefix("size ")?.parse().ok()?;
    let sector: u32 = lines.next()?.strip_prefix("sector ")?.parse().ok()?;
    let mut sectors = Vec::new();
    for line in lines {
        let (number, hex) = line.split_once(' ')?;
        if hex.len() != sector as usize * 2 || !hex.is_ascii() {
            return None;
        }
        let pairs = hex.as_bytes().chunks_exact(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
        sectors.push((number.parse().ok()?, bytes?));
    }
    Some(Kept {
        size,
        sector,
        sectors,
    })
}

/// Runs `omv disk undo`.
pub fn run(common: &Common, args: &Undo, output: &Output) -> Result<(), Fail> {
    let reading = |error| Fail::file(&args.file, "reading", error);
    if std::fs::metadata(&args.file).map_err(reading)?.len() > LIMIT {
        return Err(wrong(&args.file, "is too long for an undo file"));
    }
    let bytes = std::fs::read(&args.file).map_err(reading)?;
    let kept = std::str::from_utf8(&bytes).ok().and_then(parse);
    let kept = kept.ok_or_else(|| wrong(&args.file, "is not an undo file, or is cut short"))?;
    let (path, sector) = (&args.disk, Some(kept.sector));
    let mut disk = opened::open(common, path, Access::Write, sector, "omv disk undo")?;
    if disk.size() != kept.size {
        return Err(wrong(&args.file, "belongs to a disk of another size"));
    }
    let count = kept.sectors.len();
    work::consent(
        &format!("This writes {count} sectors as they were. Go on?"),
        args.yes,
        output,
    )?;
    // Backwards, as a stack is taken down.
    for (sector, bytes) in kept.sectors.iter().rev() {
        disk.write(*sector, bytes).map_err(Fail::Disk)?;
    }
    disk.flush().map_err(Fail::Disk)?;
    disk.keep()?;
    if output.json {
        return output.result(json!({ "sectors": count }));
    }
    output.line(&format!("{count} sectors are as they were."))
}

fn wrong(path: &Path, why: &str) -> Fail {
    Fail::Usage {
        what: format!("{} {why}", path.display()),
        help: "Name the file that `omv disk repair` wrote for this disk.".into(),
    }
}
