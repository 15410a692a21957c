//! `omv flash`: put firmware on a camera, from whatever state it is in.

use std::path::PathBuf;
use std::time::Duration;

use omv_boards::{Board, Family};
use omv_camera::Looked;
use omv_plan::{Image, Order, Refusal, Wish};
use serde_json::Value;

use super::work;
use crate::bench::Bench;
use crate::cli::{Common, Flash, Images};
use crate::fail::Fail;
use crate::files;
use crate::output::Output;
use crate::render::Render;
use crate::samples;
use crate::signals::stop_on_interrupt;

/// Runs the command.
pub fn run(common: &Common, args: &Flash, output: &Output) -> Result<(), Fail> {
    let options = &args.images;
    let bench = Bench::new(common, "omv flash", stop_on_interrupt())?;
    let looked = camera(&bench, options, output)?;
    let board = looked.board;
    let simulated = looked.found.seen.simulated;

    // All files are read and checked before the camera is touched.
    let mut images = if args.romfs_only {
        let path = options.romfs.as_deref().unwrap_or(std::path::Path::new(""));
        vec![files::named(board, path, files::read(path)?, "romfs")?]
    } else {
        wanted(board, options, simulated)?
    };
    if looked.state.family() == Family::Recovery && !args.romfs_only {
        images.extend(files::bootloader(
            board,
            options.image.as_deref(),
            simulated,
        )?);
    }
    if looked.state.family() == Family::Recovery {
        let loaders = options.loaders.as_deref();
        images.extend(files::loaders(board, loaders, options.force, simulated)?);
    }
    let wish = Wish {
        order: match (args.park, args.erase_first) {
            (true, _) => Order::Park,
            (_, true) => Order::EraseFirst,
            _ => Order::Safe,
        },
        full: options.full,
        force: options.force,
        ..work::wish(&looked)
    };
    let plan = |state| {
        let plan = omv_plan::flash(board, state, images.clone(), &wish)?;
        Ok(if args.stay { plan.staying() } else { plan })
    };
    if options.dry_run {
        return work::show(&plan(looked.state)?, &looked, output);
    }
    let (outcome, board) = work::execute(&bench, &plan, looked, output, &|_| PathBuf::new())?;
    work::conclude(&outcome, board, simulated, output, Value::Null)
}

/// The camera, waited for if it is not there yet.
pub fn camera(bench: &Bench, options: &Images, output: &Output) -> Result<Looked, Fail> {
    let board = work::board(options.board.as_deref())?;
    let mut render = Render::new(output);
    let wait = Duration::from_secs(options.wait);
    let looked = bench.camera(board, wait, &mut |event| render.event(event));
    render.end()?;
    looked
}

/// The images that were named; a virtual camera may have the sample, a real one never.
pub fn wanted(board: &Board, options: &Images, simulated: bool) -> Result<Vec<Image>, Fail> {
    let romfs = options.romfs.as_deref();
    match &options.image {
        Some(path) => files::images(board, path, romfs),
        None if simulated => {
            let mut images = samples::firmware(board);
            if let Some(path) = romfs {
                images.push(files::named(board, path, files::read(path)?, "romfs")?);
            }
            Ok(images)
        }
        None => Err(Refusal::NoImage.into()),
    }
}
