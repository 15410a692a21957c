//! `omv disk image`: a whole disk as a file, and back.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use omv_fat::{Fault, Sectors};
use serde_json::json;

use super::args::{Image, Way};
use super::device::{Access, FileDisk};
use super::format::twice;
use super::opened;
use crate::cli::Common;
use crate::fail::Fail;
use crate::output::{Output, size};

/// Bytes that are copied at a time.
const PIECE: u64 = 1 << 20;

/// Runs the command.
pub fn run(common: &Common, args: &Image, output: &Output) -> Result<(), Fail> {
    match &args.way {
        Way::Save { disk, file } => save(common, disk, file, output),
        Way::Restore {
            file,
            disk,
            yes,
            erase,
        } => restore(common, file, disk, (*yes, erase.as_deref()), output),
    }
}

fn save(common: &Common, path: &Path, file: &Path, output: &Output) -> Result<(), Fail> {
    let mut disk = opened::open(common, path, Access::Read, None, "omv disk image")?;
    let writing = |error| Fail::file(file, "writing", error);
    let mut image = File::create_new(file).map_err(writing)?;
    let sector = u64::from(disk.sector_size());
    let mut unreadable = Vec::new();
    let mut at = 0;
    while at < disk.size() {
        let length = PIECE.min(disk.size() - at);
        let mut piece = vec![0; length as usize];
        if disk.read(at / sector, &mut piece).is_err() {
            for (one, place) in piece.chunks_exact_mut(sector as usize).enumerate() {
                let number = at / sector + one as u64;
                if disk.read(number, place).is_err() {
                    place.fill(0);
                    unreadable.push(number);
                }
            }
        }
        // Zeros are left out, so that an empty card does not fill a disk.
        if piece.iter().any(|byte| *byte != 0) {
            image
                .seek(SeekFrom::Start(at))
                .and_then(|_| image.write_all(&piece))
                .map_err(writing)?;
        }
        at += length;
    }
    image
        .set_len(disk.size())
        .and_then(|()| image.sync_all())
        .map_err(writing)?;
    if output.json {
        return output
            .result(json!({ "file": file, "bytes": disk.size(), "unreadable": unreadable }));
    }
    if !unreadable.is_empty() {
        let count = unreadable.len();
        let first = unreadable[0];
        output.line(&format!(
            "{count} sectors could not be read and are zeros in the file, the first is {first}."
        ))?;
    }
    output.line(&format!("{} are in {}", size(disk.size()), file.display()))
}

fn restore(
    common: &Common,
    file: &Path,
    path: &Path,
    (yes, erase): (bool, Option<&Path>),
    output: &Output,
) -> Result<(), Fail> {
    let mut image = FileDisk::open(file, Access::Read, Some(512))?;
    let mut disk = opened::open(common, path, Access::Write, None, "omv disk image")?;
    let sector = u64::from(disk.sector_size());
    if image.size() > disk.size() || !image.size().is_multiple_of(sector) {
        return Err(Fail::Usage {
            what: format!(
                "the image has {} bytes, the disk {}",
                image.size(),
                disk.size()
            ),
            help: "Take a disk that is as large as the one the image is of.".into(),
        });
    }
    twice(path, disk.size(), yes, erase, output)?;
    for verify in [false, true] {
        let mut at = 0;
        while at < image.size() {
            let length = PIECE.min(image.size() - at);
            let mut piece = vec![0; length as usize];
            image.read(at / 512, &mut piece).map_err(Fail::Disk)?;
            let first = at / sector;
            if verify {
                let mut back = vec![0; length as usize];
                disk.read(first, &mut back).map_err(Fail::Disk)?;
                if back != piece {
                    let differs = back
                        .iter()
                        .zip(&piece)
                        .position(|(a, b)| a != b)
                        .unwrap_or(0);
                    return Err(Fail::Disk(Fault::Unwritable {
                        sector: first + differs as u64 / sector,
                    }));
                }
            } else {
                disk.write(first, &piece).map_err(Fail::Disk)?;
            }
            at += length;
        }
        disk.flush().map_err(Fail::Disk)?;
    }
    disk.keep()?;
    if output.json {
        return output.result(json!({ "disk": path, "bytes": image.size() }));
    }
    output.line(&format!(
        "{} were written and read back.",
        size(image.size())
    ))
}
