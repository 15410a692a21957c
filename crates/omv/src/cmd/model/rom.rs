//! A network into the ROM file system: what is in there stays, the new files come beside it.
//!
//! ```text
//!   the new files alone: do they fit, has this firmware such a thing?  -- refused: nothing was touched
//!   read the region --> image + new files --> fits? --> flash it, compared and verified
//! ```
//!
//! A region that was never written begins a new image. One that holds something else is left alone. If
//! the flashing ends in an error, what was read stays in a file, and is named.

use std::path::Path;
use std::time::Duration;

use omv_boards::{Board, Role, Version};
use omv_camera::Looked;
use omv_camera::session::{Options, Session};
use omv_plan::{Refusal, Wish};
use omv_wire::romfs::{Entry, Item, Layout, Node, read, write};

use super::deploy::File;
use crate::bench::Bench;
use crate::camera_files;
use crate::cmd::romfs::build::{EVERY_BOARD, USUAL, fits};
use crate::cmd::work;
use crate::fail::Fail;
use crate::files;
use crate::output::Output;

/// Where the firmware mounts it.
pub const FOLDER: &str = "/rom";
/// What the image is called in messages.
const IMAGE: &str = "the image for /rom";

/// Whether the camera has a ROM file system with room for the files, beside what is in there. It is asked
/// while it runs; one that shows none is not said to have room.
pub fn takes(looked: &Looked, version: Option<Version>, put: &[File]) -> Result<bool, Fail> {
    let board = looked.board;
    let since = board.romfs_since.zip(version);
    if since.is_none_or(|(since, version)| version < since) {
        return Ok(false);
    }
    let session = Session::open(looked, Options::default())?;
    let there = camera_files::tree(&session, FOLDER);
    session.close();
    Ok(there?.is_some_and(|there| has_room(board, &there, put)))
}

/// Whether the partition holds the files beside those that are there: paths and sizes. What the image
/// will be is as long as one of so many zeros.
fn has_room(board: &Board, there: &[(String, u64)], put: &[File]) -> bool {
    let room = board
        .role(Role::Romfs)
        .map_or(0, |region| u64::from(region.size));
    let sizes = there.iter().map(|(_, size)| *size);
    if sizes.fold(0, u64::saturating_add) > room {
        return false;
    }
    let alignment = board.romfs_alignment.unwrap_or(EVERY_BOARD) as usize;
    let mut items = Vec::new();
    for (path, size) in there {
        let size = usize::try_from(*size).unwrap_or(usize::MAX);
        place(&mut items, path, size, alignment);
    }
    add(&mut items, put, alignment);
    write(&items, Layout::Aligned).is_ok_and(|image| image.len() as u64 <= room)
}

/// A file of so many bytes at a path with `/`.
fn place(items: &mut Vec<Item>, path: &str, size: usize, alignment: usize) {
    let Some((folder, rest)) = path.split_once('/') else {
        let alignment = aligned(path, alignment);
        return items.push(Item::File {
            name: path.to_owned(),
            bytes: vec![0; size],
            alignment,
        });
    };
    let known = items.iter_mut().find_map(|item| match item {
        Item::Directory { name, items } if name == folder => Some(items),
        _ => None,
    });
    match known {
        Some(inside) => place(inside, rest, size, alignment),
        None => {
            let mut inside = Vec::new();
            place(&mut inside, rest, size, alignment);
            items.push(Item::Directory {
                name: folder.to_owned(),
                items: inside,
            });
        }
    }
}

/// Adds the files and flashes; the camera runs again afterwards.
pub fn flash(bench: &Bench, looked: Looked, put: &[File], output: &Output) -> Result<Looked, Fail> {
    let board = looked.board;
    let wish = work::wish(&looked);
    let region = board.role(Role::Romfs).ok_or_else(|| Refusal::NoRegion {
        board: board.title.clone(),
        region: "romfs".to_owned(),
        why: None,
    })?;
    let name = region.name.clone();
    // Everything that can be known beforehand is refused before the camera leaves its firmware.
    let alone = image(board, &name, &[], put)?;
    omv_plan::flash(board, looked.state, vec![alone], &wish)?;

    let folder = tempfile::tempdir();
    let folder = folder.map_err(|error| Fail::file(&std::env::temp_dir(), "writing", error))?;
    let saved = folder.path().join("saved.region");
    let keep = |_: &str| saved.clone();
    let plan = |state| omv_plan::save(board, state, &name, &wish);
    work::execute(bench, &plan, looked, output, &keep)?;
    let bytes = files::read(&saved)?;
    let image = image(board, &name, &bytes, put)?;

    let looked = again(bench, board)?;
    let wish = Wish {
        firmware: wish.firmware,
        ..work::wish(&looked)
    };
    let plan = |state| omv_plan::flash(board, state, vec![image.clone()], &wish);
    if let Err(cause) = work::execute(bench, &plan, looked, output, &keep) {
        let _ = folder.keep();
        return Err(Fail::Half {
            cause: cause.into(),
            saved,
            region: name,
        });
    }
    again(bench, board)
}

/// The camera, running again.
fn again(bench: &Bench, board: &'static Board) -> Result<Looked, Fail> {
    bench.camera(Some(board), Duration::from_secs(60), &mut |_| {})
}

/// What was in the region, and the new files.
fn image(
    board: &Board,
    region: &str,
    before: &[u8],
    put: &[File],
) -> Result<omv_plan::Image, Fail> {
    let alignment = board.romfs_alignment.unwrap_or(EVERY_BOARD) as usize;
    let blank = before.iter().all(|byte| *byte == 0xFF);
    let mut items = match read(before) {
        Ok(image) => items(&image.entries, alignment),
        Err(_) if blank => Vec::new(),
        Err(fault) => {
            return Err(Refusal::NotValid {
                file: "what is there now".to_owned(),
                region: "a ROM file system".to_owned(),
                why: format!("{fault}; `omv romfs flash FOLDER` would replace it"),
            }
            .into());
        }
    };
    add(&mut items, put, alignment);
    let bytes = write(&items, Layout::Aligned).map_err(|fault| Refusal::NotValid {
        file: IMAGE.to_owned(),
        region: "a ROM file system".to_owned(),
        why: fault.to_string(),
    })?;
    fits(Path::new(IMAGE), board, bytes.len() as u64)?;
    files::named(board, Path::new(IMAGE), bytes, region)
}

/// Puts the files beside what is there, in place of their namesakes.
fn add(items: &mut Vec<Item>, put: &[File], alignment: usize) {
    let name = |one: &File| one.path.rsplit('/').next().map(str::to_owned);
    for one in put {
        let Some(name) = name(one) else { continue };
        items.retain(|item| item.name() != name);
        let alignment = aligned(&name, alignment);
        items.push(Item::File {
            name,
            bytes: one.bytes.clone(),
            alignment,
        });
    }
}

/// Networks are used where they lie, everything else is copied.
fn aligned(name: &str, network: usize) -> usize {
    match name.ends_with(".tflite") {
        true => network,
        false => USUAL,
    }
}

/// What an image holds, to be written again. A file without content, which no camera finds, is left
/// out; so is one whose name is no text, which none can be asked for.
fn items(entries: &[Entry<'_>], alignment: usize) -> Vec<Item> {
    let item = |entry: &Entry<'_>| {
        let name = std::str::from_utf8(entry.name).ok()?.to_owned();
        Some(match &entry.node {
            Node::Directory(inside) => Item::Directory {
                name,
                items: items(inside, alignment),
            },
            Node::File(content) => Item::File {
                bytes: (*content)?.bytes.to_vec(),
                alignment: aligned(&name, alignment),
                name,
            },
        })
    };
    entries.iter().filter_map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bytes: usize) -> File {
        File {
            what: "network",
            path: "/rom/a.tflite".to_owned(),
            bytes: vec![7; bytes],
        }
    }

    /// The largest network there is room for, by asking.
    fn largest(board: &Board, there: &[(String, u64)]) -> usize {
        let (mut fits, mut not) = (0, 1 << 20);
        while not - fits > 1 {
            let middle = usize::midpoint(fits, not);
            match has_room(board, there, &[put(middle)]) {
                true => fits = middle,
                false => not = middle,
            }
        }
        fits
    }

    #[test]
    fn what_is_said_to_fit_is_what_the_image_has_room_for() {
        let board = omv_boards::by_name("h7").expect("it is known");
        let there = [
            ("b.txt", 700),
            ("lib/x/y.py", 90),
            ("lib/z.py", 0),
            ("c.tflite", 3001),
        ];
        let there = there.map(|(path, size)| (path.to_owned(), size));
        let before = {
            let mut items = Vec::new();
            for (path, size) in &there {
                place(&mut items, path, usize::try_from(*size).unwrap(), 16);
            }
            write(&items, Layout::Aligned).unwrap()
        };
        let most = largest(board, &there);
        assert!(image(board, "ROMFS0", &before, &[put(most)]).is_ok());
        assert!(image(board, "ROMFS0", &before, &[put(most + 1)]).is_err());
        // A namesake makes room for itself.
        let mut old = there.to_vec();
        old.push(("a.tflite".to_owned(), 90_000));
        assert_eq!(largest(board, &old), most);
        assert!(!has_room(board, &[("x".to_owned(), u64::MAX)], &[put(1)]));
        assert!(!has_room(
            omv_boards::by_name("m4").expect("known"),
            &[],
            &[put(200_000)]
        ));
    }
}
