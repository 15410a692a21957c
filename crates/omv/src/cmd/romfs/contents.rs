//! What is in an image: `ls`, `cat`, `extract`, `diff`. Names in it are somebody else's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use omv_wire::romfs::{Content, Entry, Node, is_plain};
use serde_json::json;

use super::{image, not_valid};
use crate::fail::Fail;
use crate::files;
use crate::output::{Output, clean, size};

/// Several files may point at one content, so what is written can be more than the image.
const LARGEST: usize = 512 << 20;

/// One file of an image.
struct Row<'a> {
    path: String,
    content: Option<Content<'a>>,
}

/// Every file, in the order of the image.
fn rows<'a>(entries: &[Entry<'a>], before: &str, rows: &mut Vec<Row<'a>>) {
    for entry in entries {
        let path = format!("{before}{}", String::from_utf8_lossy(entry.name));
        match &entry.node {
            Node::Directory(inside) => {
                self::rows(inside, &format!("{path}/"), rows);
            }
            Node::File(content) => rows.push(Row {
                path,
                content: *content,
            }),
        }
    }
}

/// The largest power of two that an offset is a multiple of, within reason.
fn alignment(offset: usize) -> usize {
    1 << offset.trailing_zeros().min(12)
}

/// Lists the files.
pub fn ls(path: &Path, output: &Output) -> Result<(), Fail> {
    let bytes = files::read(path)?;
    let image = image(path, &bytes)?;
    let mut all = Vec::new();
    rows(&image.entries, "", &mut all);
    let total: usize = all
        .iter()
        .filter_map(|row| row.content)
        .map(|c| c.bytes.len())
        .sum();
    if output.json {
        let list = all.iter().map(|Row { path, content }| {
            json!({
                "path": clean(path),
                "bytes": content.map(|content| content.bytes.len()),
                "offset": content.map(|content| content.offset),
                "alignment": content.map(|content| alignment(content.offset)),
            })
        });
        let list: Vec<_> = list.collect();
        return output.result(json!({ "bytes": image.length, "files": list }));
    }
    output.line("    BYTES    OFFSET  ALIGNED  PATH")?;
    for Row { path, content } in &all {
        let path = clean(path);
        match content {
            Some(content) => {
                let (bytes, offset) = (content.bytes.len(), content.offset);
                let aligned = alignment(offset);
                output.line(&format!("{bytes:>9}  {offset:>8x}  {aligned:>7}  {path}"))?;
            }
            None => output.line(&format!("{:>9}  {:>8}  {:>7}  {path}", "none", "-", "-"))?,
        }
    }
    let count = all.len();
    let (total, length) = (size(total as u64), size(image.length as u64));
    output.line(&format!("{count} files, {total} in an image of {length}"))
}

/// Prints a file as it is.
pub fn cat(path: &Path, wanted: &str) -> Result<(), Fail> {
    let bytes = files::read(path)?;
    let image = image(path, &bytes)?;
    let wanted = wanted.trim_start_matches("/rom/").trim_matches('/');
    let content = find(&image.entries, wanted);
    let Some(content) = content else {
        return Err(Fail::Usage {
            what: format!("{} has no file `{}`", path.display(), clean(wanted)),
            help: format!("`omv romfs ls {}` lists its files.", path.display()),
        });
    };
    let mut out = io::stdout().lock();
    let done = out.write_all(content.bytes).and_then(|()| out.flush());
    done.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Fail::BrokenPipe,
        _ => Fail::file(Path::new("standard output"), "writing", error),
    })
}

/// As the camera looks: the first name that fits.
fn find<'a>(entries: &[Entry<'a>], path: &str) -> Option<Content<'a>> {
    let (first, rest) = match path.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let entry = entries
        .iter()
        .find(|entry| entry.name == first.as_bytes())?;
    match (&entry.node, rest) {
        (Node::File(content), None) => *content,
        (Node::Directory(inside), Some(rest)) => find(inside, rest),
        _ => None,
    }
}

/// Writes all files to a new folder. Everything is looked at before anything is written.
pub fn extract(path: &Path, folder: &Path, output: &Output) -> Result<(), Fail> {
    let bytes = files::read(path)?;
    let image = image(path, &bytes)?;
    let mut left = LARGEST;
    harmless(path, &image.entries, &mut left)?;
    let writing = |error| Fail::file(folder, "writing", error);
    // A folder that is there could have links in it that lead elsewhere.
    fs::create_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Fail::Usage {
            what: format!("{} exists already", folder.display()),
            help: "Name a folder that is not there yet: nothing is ever overwritten.".to_owned(),
        },
        _ => writing(error),
    })?;
    let mut done = Done::default();
    spread(&image.entries, folder, &mut done)?;
    let Done { count, twice } = done;
    if output.json {
        return output.result(json!({ "folder": folder, "files": count, "left_out": twice }));
    }
    for path in &twice {
        eprintln!(
            "note: {} stands there twice; the camera sees the first",
            clean(path)
        );
    }
    output.line(&format!("{}: {count} files", folder.display()))
}

/// Refuses names that would lead out of the folder, and more bytes than anybody wants.
fn harmless(path: &Path, entries: &[Entry<'_>], left: &mut usize) -> Result<(), Fail> {
    for entry in entries {
        let name = String::from_utf8_lossy(entry.name);
        if !is_plain(entry.name) {
            let name: String = name.chars().take(80).collect();
            let why = format!("the name `{}` is none a file may have", clean(&name));
            return Err(not_valid(path, why));
        }
        match &entry.node {
            Node::Directory(inside) => harmless(path, inside, left)?,
            Node::File(content) => {
                let bytes = content.map_or(0, |content| content.bytes.len());
                *left = left.checked_sub(bytes).ok_or_else(|| {
                    not_valid(path, "its files are too large together".to_owned())
                })?;
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Done {
    count: usize,
    twice: Vec<String>,
}

fn spread(entries: &[Entry<'_>], folder: &Path, done: &mut Done) -> Result<(), Fail> {
    for entry in entries {
        let path = folder.join(&*String::from_utf8_lossy(entry.name));
        let writing = |error| Fail::file(&path, "writing", error);
        match &entry.node {
            Node::Directory(inside) => match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    done.twice.push(path.display().to_string());
                }
                created => {
                    created.map_err(writing)?;
                    spread(inside, &path, done)?;
                }
            },
            Node::File(content) => match File::create_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    done.twice.push(path.display().to_string());
                }
                file => {
                    let bytes = content.map_or(&[][..], |content| content.bytes);
                    file.and_then(|mut file| file.write_all(bytes))
                        .map_err(writing)?;
                    done.count += 1;
                }
            },
        }
    }
    Ok(())
}

/// Says in what two images or folders differ.
pub fn diff(one: &Path, other: &Path, output: &Output) -> Result<u8, Fail> {
    let (left, right) = (load(one)?, load(other)?);
    let mut lines = Vec::new();
    for (path, bytes) in &left {
        match right.get(path) {
            None => lines.push(("removed", path, String::new())),
            Some(new) if new != bytes => {
                let same = bytes.iter().zip(new).take_while(|(a, b)| a == b).count();
                let (old, new) = (bytes.len(), new.len());
                let what = format!(": {old} and {new} bytes, different from byte {same} on");
                lines.push(("changed", path, what));
            }
            Some(_) => {}
        }
    }
    let added = right.keys().filter(|path| !left.contains_key(*path));
    lines.extend(added.map(|path| ("added", path, String::new())));
    lines.sort_by_key(|(_, path, _)| *path);
    if output.json {
        let rows: Vec<_> = lines
            .iter()
            .map(|(what, path, _)| json!({ "what": what, "path": clean(path) }))
            .collect();
        output.result(json!({ "equal": rows.is_empty(), "differences": rows }))?;
    } else {
        for (what, path, more) in &lines {
            output.line(&format!("{what:<8} {}{more}", clean(path)))?;
        }
    }
    Ok(u8::from(!lines.is_empty()))
}

/// The files of an image or a folder by their paths.
fn load(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, Fail> {
    let mut all = BTreeMap::new();
    if path.is_dir() {
        let mut waiting: Vec<(PathBuf, String)> = vec![(path.to_owned(), String::new())];
        while let Some((folder, before)) = waiting.pop() {
            let reading = |error| Fail::file(&folder, "reading", error);
            for entry in fs::read_dir(&folder).map_err(reading)? {
                let entry = entry.map_err(reading)?;
                let name = format!("{before}{}", entry.file_name().to_string_lossy());
                // Links to folders are not followed: they may lead in a circle.
                if entry.file_type().map_err(reading)?.is_dir() {
                    waiting.push((entry.path(), format!("{name}/")));
                } else {
                    all.insert(name, files::read(&entry.path())?);
                }
            }
        }
        return Ok(all);
    }
    let bytes = files::read(path)?;
    let image = image(path, &bytes)?;
    let mut found = Vec::new();
    rows(&image.entries, "", &mut found);
    let mut left = LARGEST;
    for Row {
        path: name,
        content,
    } in found
    {
        let bytes = content.map_or(&[][..], |content| content.bytes);
        left = left
            .checked_sub(bytes.len())
            .ok_or_else(|| not_valid(path, "its files are too large together".to_owned()))?;
        all.entry(name).or_insert_with(|| bytes.to_vec());
    }
    Ok(all)
}
