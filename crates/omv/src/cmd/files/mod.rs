//! Files on a camera's disk: `omv save | cp | ls | cat | rm | mkdir | df`.
//!
//! ```text
//!   args   the command lines            door       which disk is meant, opened
//!   save   a script, proven to be there  notebook   the plan of a save, kept while it lasts
//! ```

pub mod args;
pub mod door;
mod notebook;
mod save;

use std::path::Path;

use omv_camera::disk::Blocks;
use omv_camera::files::{self, BlockSectors, Notebook};
use omv_fat::{Change, Refusal, Sectors, make_folder, remove, room, walk};
use serde_json::json;

use crate::cli::Common;
use crate::fail::Fail;
use crate::output::{Output, clean, size};
use args::{Cat, Cp, Df, Ls, MkDir, Rm};
use door::Door;
pub use save::run as save;

/// What begins a name on the camera's side of `omv cp`.
const THERE: char = ':';
/// Largest file that is copied.
const LARGEST: u64 = 1 << 30;

/// Puts right what an interrupted save left, and says so.
fn mend(door: &mut Door, output: &Output) -> Result<(), Fail> {
    use omv_fat::Recovery::{Completed, Foreign, Undone};
    let mended = files::mend(&mut *door.blocks, &mut *door.notebook)?;
    finish(door, output)?;
    let said = match mended {
        None => return Ok(()),
        Some(Undone) => "A save was interrupted: the disk is as it was before it.",
        Some(Completed) => "A save was interrupted: it was completed.",
        Some(Foreign) => {
            "A save was interrupted, and the disk was written to since: check it with `omv disk check`."
        }
    };
    match output.json {
        true => output.object(&json!({ "event": "mended", "what": format!("{:?}", mended.unwrap_or(Undone)).to_lowercase() })),
        false => output.line(said),
    }
}

/// Finishes what a save by the camera left, as far as this disk takes writes from here.
fn finish(door: &mut Door, output: &Output) -> Result<(), Fail> {
    let finished = files::finish(&mut *door.blocks, &mut *door.notebook, door::stamp());
    for one in finished.unwrap_or_default() {
        let file = clean(&one.file);
        match output.json {
            true => output
                .object(&json!({ "event": "finished", "path": file, "renewed": one.renewed }))?,
            false => output.line(&match one.renewed {
                true => format!("A save of {file} was interrupted: it was completed."),
                false => format!("A save of {file} was interrupted: the old file is as it was."),
            })?,
        }
    }
    Ok(())
}

/// The path of a name as the disk has it: without the sign for the camera's side.
fn there(name: &str) -> &str {
    name.strip_prefix(THERE).unwrap_or(name)
}

/// Runs `omv ls`.
pub fn ls(common: &Common, args: &Ls, output: &Output) -> Result<(), Fail> {
    let mut door = door::open(common, &args.place, false, "omv ls")?;
    mend(&mut door, output)?;
    let mut sectors = BlockSectors::new(&mut *door.blocks);
    let walk = walk(&mut sectors, None).ok_or(Refusal::NoVolume)?;
    let wanted = there(&args.path).trim_matches('/').to_lowercase();
    let mut entries: Vec<_> = walk
        .entries()
        .iter()
        .filter(|entry| {
            let shown = entry.shown.trim_matches('/').to_lowercase();
            let folder = shown.rsplit_once('/').map_or("", |(folder, _)| folder);
            let below = wanted.is_empty() || shown.starts_with(&format!("{wanted}/"));
            folder == wanted || (args.recursive && below)
        })
        .collect();
    entries.sort_by(|one, two| one.shown.cmp(&two.shown));
    if output.json {
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| json!({ "path": clean(&entry.shown), "folder": entry.directory, "bytes": entry.size }))
            .collect();
        return output.result(json!({ "disk": door.title, "entries": entries }));
    }
    for entry in entries {
        let end = if entry.directory { "/" } else { "" };
        output.line(&format!(
            "{:>10}  {}{end}",
            size_of(entry),
            clean(&entry.shown)
        ))?;
    }
    Ok(())
}

fn size_of(entry: &omv_fat::Entry) -> String {
    match entry.directory {
        true => String::new(),
        false => entry.size.to_string(),
    }
}

/// A file's content.
fn read(blocks: &mut dyn Blocks, path: &str) -> Result<Vec<u8>, Fail> {
    let mut sectors = BlockSectors::new(blocks);
    let mut walk = walk(&mut sectors, None).ok_or(Refusal::NoVolume)?;
    let wanted = path.trim_matches('/').to_lowercase();
    let found = walk
        .entries()
        .iter()
        .find(|entry| entry.shown.trim_matches('/').to_lowercase() == wanted);
    let missing = || Refusal::Missing(path.to_owned());
    let entry = found
        .filter(|one| !one.directory)
        .cloned()
        .ok_or_else(missing)?;
    if entry.size > LARGEST {
        return Err(Fail::Usage {
            what: format!("{path} is too large to be copied this way"),
            help: "Copy it with `omv disk rescue`.".into(),
        });
    }
    let mut content = Vec::new();
    let (done, lost) = walk.read(&entry, |piece| {
        content.extend_from_slice(piece);
        true
    });
    match done == entry.size && lost == 0 {
        true => Ok(content),
        false => Err(Fail::Disk(omv_fat::Fault::Unreadable { sector: 0 })),
    }
}

/// Runs `omv cat`.
pub fn cat(common: &Common, args: &Cat, output: &Output) -> Result<(), Fail> {
    use std::io::Write;
    let mut door = door::open(common, &args.place, false, "omv cat")?;
    mend(&mut door, output)?;
    let content = read(&mut *door.blocks, there(&args.path))?;
    if output.json {
        let text = String::from_utf8_lossy(&content).into_owned();
        return output.result(json!({ "path": args.path, "bytes": content.len(), "text": text }));
    }
    let written = std::io::stdout().lock().write_all(&content);
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Fail::BrokenPipe,
        _ => Fail::file(Path::new("standard output"), "writing", error),
    })
}

/// Runs `omv cp`.
pub fn cp(common: &Common, args: &Cp, output: &Output) -> Result<(), Fail> {
    let (from, to) = (&args.from, &args.to);
    match (from.starts_with(THERE), to.starts_with(THERE)) {
        (true, false) => {
            let mut door = door::open(common, &args.place, false, "omv cp")?;
            mend(&mut door, output)?;
            let content = read(&mut *door.blocks, there(from))?;
            let name = from.rsplit(['/', THERE]).next().unwrap_or("file");
            let mut path = Path::new(to).to_owned();
            if path.is_dir() {
                path.push(name);
            }
            std::fs::write(&path, &content).map_err(|error| Fail::file(&path, "writing", error))?;
            done(output, &path.display().to_string(), content.len())
        }
        (false, true) => {
            let path = Path::new(from);
            let content =
                std::fs::read(path).map_err(|error| Fail::file(path, "reading", error))?;
            let mut door = door::open(common, &args.place, true, "omv cp")?;
            mend(&mut door, output)?;
            let mut target = there(to).to_owned();
            if target.is_empty() || target.ends_with('/') {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                target = format!("{target}{name}");
            }
            let stamp = door::stamp();
            files::save(
                &mut *door.blocks,
                &mut *door.notebook,
                &target,
                &content,
                stamp,
            )?;
            door.keep()?;
            done(output, &format!(":{target}"), content.len())
        }
        _ => Err(Fail::Usage {
            what: "one side of a copy is the camera, the other this computer".into(),
            help: "Write a colon before the name on the camera: omv cp main.py :main.py".into(),
        }),
    }
}

fn done(output: &Output, path: &str, bytes: usize) -> Result<(), Fail> {
    match output.json {
        true => output.result(json!({ "path": path, "bytes": bytes })),
        false => output.line(&format!("{} ({})", clean(path), size(bytes as u64))),
    }
}

/// Plans a change, does it and reads it back.
fn change(
    common: &Common,
    place: &args::Place,
    who: &str,
    path: &str,
    output: &Output,
    plan: impl FnOnce(&mut dyn Sectors) -> Result<Change, Refusal>,
) -> Result<(), Fail> {
    let mut door = door::open(common, place, true, who)?;
    mend(&mut door, output)?;
    let change = plan(&mut BlockSectors::new(&mut *door.blocks))?;
    let notebook: &mut dyn Notebook = &mut *door.notebook;
    files::change(&mut *door.blocks, notebook, path, &change)?;
    door.keep()?;
    done(output, path, 0)
}

/// Runs `omv rm`.
pub fn rm(common: &Common, args: &Rm, output: &Output) -> Result<(), Fail> {
    let path = there(&args.path);
    change(common, &args.place, "omv rm", path, output, |sectors| {
        remove(sectors, path)
    })
}

/// Runs `omv mkdir`.
pub fn mkdir(common: &Common, args: &MkDir, output: &Output) -> Result<(), Fail> {
    let path = there(&args.path);
    change(common, &args.place, "omv mkdir", path, output, |sectors| {
        make_folder(sectors, path, door::stamp())
    })
}

/// Runs `omv df`.
pub fn df(common: &Common, args: &Df, output: &Output) -> Result<(), Fail> {
    let mut door = door::open(common, &args.place, false, "omv df")?;
    mend(&mut door, output)?;
    let (free, all) = room(&mut BlockSectors::new(&mut *door.blocks))?;
    let used = all - free;
    let percent = used.saturating_mul(100).checked_div(all).unwrap_or(0);
    match output.json {
        true => output.result(json!({
            "disk": door.title, "kind": door.kind.name(), "bytes": all, "free": free,
        })),
        false => output.line(&format!(
            "{}: {} of {} used ({percent} %), {} free",
            clean(&door.title),
            size(used),
            size(all),
            size(free)
        )),
    }
}
