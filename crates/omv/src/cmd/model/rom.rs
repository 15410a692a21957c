//! A network into the ROM file system: what is in there stays, the new files come beside it.
//!
//! ```text
//!   the new files alone: do they fit, has this firmware such a thing?  -- refused: nothing was touched
//!   read the region --> image + new files --> fits? --> flash it, compared and verified
//! ```
//!
//! A region that was never written begins a new image. One that holds something else is left alone.

use std::path::Path;
use std::time::Duration;

use omv_boards::{Board, Role};
use omv_camera::Looked;
use omv_plan::{Refusal, Wish};
use omv_wire::romfs::{Entry, Item, Layout, Node, read, write};

use super::deploy::File;
use crate::bench::Bench;
use crate::cmd::romfs::build::{EVERY_BOARD, USUAL, fits};
use crate::cmd::work;
use crate::fail::Fail;
use crate::files;
use crate::output::Output;

/// Where the firmware mounts it.
pub const FOLDER: &str = "/rom";
/// What the image is called in messages.
const IMAGE: &str = "the image for /rom";

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
    work::execute(bench, &plan, looked, output, &keep)?;
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
    let named: Vec<&str> = put.iter().filter_map(|one| name(&one.path)).collect();
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
    items.retain(|item| !named.contains(&item.name()));
    items.extend(put.iter().zip(&named).map(|(one, name)| {
        let (name, bytes) = ((*name).to_owned(), one.bytes.clone());
        let alignment = aligned(&name, alignment);
        Item::File {
            name,
            bytes,
            alignment,
        }
    }));
    let bytes = write(&items, Layout::Aligned).map_err(|fault| Refusal::NotValid {
        file: IMAGE.to_owned(),
        region: "a ROM file system".to_owned(),
        why: fault.to_string(),
    })?;
    fits(Path::new(IMAGE), board, bytes.len() as u64)?;
    files::named(board, Path::new(IMAGE), bytes, region)
}

fn name(path: &str) -> Option<&str> {
    path.rsplit('/').next()
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
