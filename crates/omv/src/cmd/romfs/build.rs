//! `omv romfs build`: from a folder to an image.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use omv_boards::{Board, Role};
use omv_plan::{Refusal, sha256};
use omv_wire::romfs::{DEEPEST, Item, Layout, MOST_ENTRIES, write};
use serde_json::json;

use super::not_valid;
use crate::cli::{How, LayoutName};
use crate::cmd::work;
use crate::fail::Fail;
use crate::output::{Output, clean, size};

/// More than any partition has.
const LARGEST: u64 = 256 << 20;
/// What every board is content with.
pub const EVERY_BOARD: u32 = 32;
/// What files other than models are aligned to (openmv/openmv `tools/mkromfs.py`).
pub const USUAL: usize = 4;
/// Longest compilation of one script.
const COMPILE: Duration = Duration::from_secs(60);

/// An image, and what went into it.
pub struct Built {
    pub bytes: Vec<u8>,
    pub files: usize,
    pub compiled: usize,
}

/// Runs the command.
pub fn run(
    folder: &Path,
    file: &Path,
    board: Option<&str>,
    how: &How,
    output: &Output,
) -> Result<(), Fail> {
    let board = work::board(board)?;
    let built = build(folder, board, how, output)?;
    let bytes = built.bytes.len() as u64;
    if let Some(board) = board {
        fits(file, board, bytes)?;
    }
    let part = file.with_extension("part");
    fs::write(&part, &built.bytes)
        .and_then(|()| fs::rename(&part, file))
        .map_err(|error| Fail::file(file, "writing", error))?;
    if output.json {
        return output.result(json!({
            "file": file,
            "bytes": bytes,
            "files": built.files,
            "compiled": built.compiled,
            "sha256": sha256(&built.bytes),
        }));
    }
    let compiled = match built.compiled {
        0 => String::new(),
        count => format!(", {count} of them compiled"),
    };
    let name = file.display();
    output.line(&format!(
        "{name}: {} files{compiled}, {}",
        built.files,
        size(bytes)
    ))
}

/// Refuses an image that its partition has no room for.
pub fn fits(file: &Path, board: &Board, bytes: u64) -> Result<(), Fail> {
    let region = board.role(Role::Romfs).ok_or_else(|| Refusal::NoRegion {
        board: board.title.clone(),
        region: "romfs".to_owned(),
        why: None,
    })?;
    let room = u64::from(region.size);
    if bytes > room {
        let file = file.display().to_string();
        let region = region.name.clone();
        return Err(Refusal::TooLarge {
            file,
            size: bytes,
            region,
            room,
        }
        .into());
    }
    Ok(())
}

/// Makes an image of a folder.
pub fn build(
    folder: &Path,
    board: Option<&Board>,
    how: &How,
    output: &Output,
) -> Result<Built, Fail> {
    let layout = match how.layout {
        LayoutName::Omv => Layout::Aligned,
        LayoutName::Openmv => Layout::OpenMv,
        LayoutName::Mpremote => Layout::Compact,
    };
    let alignment = how
        .align
        .or_else(|| board.and_then(|board| board.romfs_alignment));
    let compiler = (!how.no_mpy).then(|| {
        let program = how.mpy_cross.clone();
        program.unwrap_or_else(|| PathBuf::from("mpy-cross"))
    });
    let mut walk = Walk {
        root: folder,
        layout,
        alignment: alignment.unwrap_or(EVERY_BOARD) as usize,
        compiler,
        is_named: how.mpy_cross.is_some(),
        scratch: None,
        files: 0,
        compiled: 0,
        missed: 0,
        left: LARGEST,
    };
    let items = walk.folder(folder, "", 0)?;
    let bytes = write(&items, layout).map_err(|fault| not_valid(folder, fault.what.to_owned()))?;
    if walk.missed > 0 && !output.json {
        let count = walk.missed;
        eprintln!("note: mpy-cross was not found, {count} scripts are stored as they are");
    }
    Ok(Built {
        bytes,
        files: walk.files,
        compiled: walk.compiled,
    })
}

struct Walk<'a> {
    root: &'a Path,
    layout: Layout,
    alignment: usize,
    /// While there is one.
    compiler: Option<PathBuf>,
    /// The person named it, so it must be there.
    is_named: bool,
    /// Where it writes to.
    scratch: Option<tempfile::TempDir>,
    files: usize,
    compiled: usize,
    missed: usize,
    /// Bytes that may still come.
    left: u64,
}

impl Walk<'_> {
    /// What is in a folder, by name: the order of mpremote, in which an image is equal whenever its
    /// files are.
    fn folder(&mut self, folder: &Path, inside: &str, depth: usize) -> Result<Vec<Item>, Fail> {
        let reading = |error| Fail::file(folder, "reading", error);
        if depth > DEEPEST {
            let why = format!("{} is nested too deeply, or in a circle", folder.display());
            return Err(not_valid(self.root, why));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(reading)? {
            let entry = entry.map_err(reading)?;
            let name = entry.file_name().into_string().map_err(|name| {
                let why = format!("the name {} is no text", name.display());
                not_valid(folder, why)
            })?;
            names.push((name, entry));
        }
        names.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut items = Vec::with_capacity(names.len());
        for (name, entry) in names {
            self.files += 1;
            if self.files > MOST_ENTRIES {
                return Err(not_valid(self.root, "there are too many files".to_owned()));
            }
            let path = entry.path();
            let kind = entry
                .file_type()
                .map_err(|error| Fail::file(&path, "reading", error))?;
            // Links are followed, as mpremote does.
            let is_folder = kind.is_dir() || kind.is_symlink() && path.is_dir();
            if is_folder {
                self.files -= 1;
                let inner = format!("{inside}{name}/");
                let items_inside = self.folder(&path, &inner, depth + 1)?;
                items.push(Item::Directory {
                    name,
                    items: items_inside,
                });
            } else {
                items.push(self.file(&path, inside, name)?);
            }
        }
        Ok(items)
    }

    fn file(&mut self, path: &Path, inside: &str, name: String) -> Result<Item, Fail> {
        let compiled = match name.strip_suffix(".py") {
            Some(stem) if !path.with_extension("mpy").is_file() => {
                let bytes = self.compile(path, &format!("{inside}{name}"))?;
                bytes.map(|bytes| (format!("{stem}.mpy"), bytes))
            }
            _ => None,
        };
        let (name, bytes) = match compiled {
            Some(compiled) => compiled,
            None => (name, read(path, self.left)?),
        };
        self.left = self.left.saturating_sub(bytes.len() as u64);
        let alignment = match name.ends_with(".tflite") {
            true => self.alignment,
            false => USUAL,
        };
        Ok(Item::File {
            name,
            bytes,
            alignment,
        })
    }

    /// A script's byte code; nothing when there is no compiler.
    fn compile(&mut self, path: &Path, inside: &str) -> Result<Option<Vec<u8>>, Fail> {
        let Some(program) = &self.compiler else {
            return Ok(None);
        };
        if self.scratch.is_none() {
            let folder = tempfile::tempdir();
            let folder =
                folder.map_err(|error| Fail::file(&std::env::temp_dir(), "writing", error))?;
            self.scratch = Some(folder);
        }
        let folder = self
            .scratch
            .as_ref()
            .map_or(Path::new("."), |scratch| scratch.path());
        let target = folder.join("compiled.mpy");
        let said = folder.join("said");
        let log = fs::File::create(&said).map_err(|error| Fail::file(&said, "writing", error))?;
        // The name goes into the byte code, for messages. mpremote has the path as it was typed.
        let shown = match self.layout {
            Layout::Compact => path.to_string_lossy().into_owned(),
            _ => inside.to_owned(),
        };
        let mut command = Command::new(program);
        command
            .arg("-s")
            .arg(shown)
            .arg("-o")
            .arg(&target)
            .arg(path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.is_named => {
                self.compiler = None;
                self.missed += 1;
                return Ok(None);
            }
            Err(error) => return Err(Fail::file(program, "starting", error)),
        };
        if !ends_well(child).map_err(|error| Fail::file(program, "running", error))? {
            let words = fs::read(&said).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).into_owned();
            let last = words.lines().map(str::trim).rfind(|line| !line.is_empty());
            let last = last.unwrap_or("it says nothing, or was stopped");
            return Err(not_valid(
                path,
                format!("mpy-cross refuses it: {}", clean(last)),
            ));
        }
        self.compiled += 1;
        read(&target, LARGEST).map(Some)
    }
}

/// Whether a program ends by itself, with code 0.
fn ends_well(mut child: std::process::Child) -> io::Result<bool> {
    let end = Instant::now() + COMPILE;
    // A script takes it some milliseconds: look often at first.
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// A file, whole, of at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Fail> {
    let reading = |error| Fail::file(path, "reading", error);
    let about = fs::metadata(path).map_err(reading)?;
    if !about.is_file() {
        return Err(not_valid(
            path,
            "it is neither a file nor a folder".to_owned(),
        ));
    }
    if about.len() > limit {
        return Err(not_valid(
            path,
            "all files together are too large".to_owned(),
        ));
    }
    fs::read(path).map_err(reading)
}
