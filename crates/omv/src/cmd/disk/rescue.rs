//! `omv disk rescue`: every file that can be read, copied out. The disk is repaired in memory
//! only, so lost chains and broken links come along.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use omv_fat::{Sectors, Walk};
use serde_json::json;

use super::args::Rescue;
use super::device::Access;
use super::opened;
use crate::cli::Common;
use crate::fail::Fail;
use crate::output::{Output, clean, size};

/// What was copied.
#[derive(Default)]
struct Tally {
    files: u64,
    bytes: u64,
    /// Files with bytes that could not be read, or that are shorter than they should be.
    hurt: Vec<String>,
}

/// Runs the command.
pub fn run(common: &Common, args: &Rescue, output: &Output) -> Result<(), Fail> {
    let (path, sector) = (&args.disk, args.sector_size);
    let mut disk = opened::open(common, path, Access::Read, sector, "omv disk rescue")?;
    let options = disk.options();
    fs::create_dir_all(&args.folder).map_err(|error| Fail::file(&args.folder, "writing", error))?;
    let listed =
        fs::read_dir(&args.folder).map_err(|error| Fail::file(&args.folder, "reading", error))?;
    if listed.count() > 0 {
        return Err(Fail::Usage {
            what: format!("{} is not empty", args.folder.display()),
            help: "Name a new folder: nothing that is there already is written over.".into(),
        });
    }
    let mut tally = Tally::default();
    let (starts, mut repaired);
    // A disk that is too damaged for a repair in memory is read as it is.
    let device: &mut dyn Sectors = match omv_fat::repair(&mut disk, &options) {
        Ok(work) => {
            starts = work
                .after
                .volumes
                .iter()
                .map(|seen| seen.volume.start)
                .collect::<Vec<_>>();
            repaired = work.overlay(&mut disk).map_err(Fail::Disk)?;
            &mut repaired
        }
        Err(_) => {
            let report = omv_fat::check(&mut disk, &options);
            starts = report
                .volumes
                .iter()
                .map(|seen| seen.volume.start)
                .collect();
            &mut disk
        }
    };
    for (index, start) in starts.iter().enumerate() {
        let folder = if starts.len() == 1 {
            args.folder.clone()
        } else {
            args.folder.join(format!("volume{}", index + 1))
        };
        if let Some(walk) = omv_fat::walk(&mut *device, Some(*start)) {
            copy(walk, &folder, output, &mut tally)?;
        }
    }
    if output.json {
        return output
            .result(json!({ "files": tally.files, "bytes": tally.bytes, "hurt": tally.hurt }));
    }
    for path in &tally.hurt {
        output.line(&format!("  not whole: {path}"))?;
    }
    let folder = args.folder.display();
    output.line(&format!(
        "{} files, {}, are in {folder}; {} of them are not whole.",
        tally.files,
        size(tally.bytes),
        tally.hurt.len()
    ))
}

fn copy(mut walk: Walk<'_>, folder: &Path, output: &Output, tally: &mut Tally) -> Result<(), Fail> {
    let entries = walk.entries().to_vec();
    fs::create_dir_all(folder).map_err(|error| Fail::file(folder, "writing", error))?;
    for entry in entries {
        let path: PathBuf = entry
            .path
            .iter()
            .fold(folder.to_owned(), |path, part| path.join(part));
        if entry.directory {
            fs::create_dir_all(&path).map_err(|error| Fail::file(&path, "writing", error))?;
            continue;
        }
        let writing = |error| Fail::file(&path, "writing", error);
        let mut file = File::create_new(&path).map_err(writing)?;
        let mut failed = None;
        let (bytes, lost) = walk.read(&entry, |piece| match file.write_all(piece) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        if let Some(error) = failed {
            return Err(writing(error));
        }
        tally.files += 1;
        tally.bytes += bytes;
        let shown = clean(&entry.shown);
        if output.json {
            output.object(&json!({
                "event": "file", "path": shown, "file": path, "bytes": bytes, "of": entry.size, "unreadable": lost,
            }))?;
        }
        if bytes < entry.size || lost > 0 {
            tally.hurt.push(format!(
                "{shown} ({bytes} of {} bytes, {lost} of them unreadable)",
                entry.size
            ));
        }
    }
    Ok(())
}
