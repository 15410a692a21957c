//! `omv romfs read` and `omv romfs flash`: between an image and a camera.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use omv_boards::Family;
use omv_camera::Looked;
use omv_plan::{Refusal, Wish};
use serde_json::{Value, json};

use super::{build, image};
use crate::bench::Bench;
use crate::cli::{Common, RomfsAction};
use crate::cmd::work;
use crate::fail::Fail;
use crate::files;
use crate::output::{Output, size};
use crate::signals::stop_on_interrupt;

/// How long a camera that is not there is waited for.
const WAIT: Duration = Duration::from_secs(60);
/// The region both work on.
const REGION: &str = "romfs";

/// Runs one of the two.
pub fn run(common: &Common, action: &RomfsAction, output: &Output) -> Result<(), Fail> {
    match action {
        RomfsAction::Read {
            output: file,
            whole,
            dry_run,
            board,
        } => read(common, file, *whole, *dry_run, board.as_deref(), output),
        RomfsAction::Flash { board, .. } => {
            let bench = Bench::new(common, "omv romfs flash", stop_on_interrupt())?;
            let looked = bench.camera(work::board(board.as_deref())?, WAIT, &mut |_| {})?;
            flash(&bench, looked, action, output)
        }
        _ => Ok(()),
    }
}

/// Saves the region beside the file that is wanted, and keeps of it what the image's header says.
fn read(
    common: &Common,
    file: &Path,
    whole: bool,
    dry_run: bool,
    board: Option<&str>,
    output: &Output,
) -> Result<(), Fail> {
    let bench = Bench::new(common, "omv romfs read", stop_on_interrupt())?;
    let looked = bench.camera(work::board(board)?, WAIT, &mut |_| {})?;
    let (board, wish) = (looked.board, work::wish(&looked));
    let plan = |state| omv_plan::save(board, state, REGION, &wish);
    let first = plan(looked.state)?;
    if dry_run {
        return work::show(&first, &looked, output);
    }
    if file.exists() {
        return Err(Fail::Usage {
            what: format!("{} exists already", file.display()),
            help: "Name another file: what was saved is never overwritten.".to_owned(),
        });
    }
    let simulated = looked.found.seen.simulated;
    let region = file.with_extension("region");
    let target = region.clone();
    let keep = move |_: &str| target.clone();
    let (outcome, board) = work::execute(&bench, &plan, looked, output, &keep)?;
    let bytes = files::read(&region)?;
    let length = match whole {
        true => Ok(bytes.len()),
        false => image(file, &bytes).map(|image| image.length),
    };
    let kept = length.and_then(|length| {
        let bytes = bytes.get(..length).unwrap_or_default();
        fs::write(file, bytes).map_err(|error| Fail::file(file, "writing", error))?;
        Ok(length)
    });
    // It was only a step on the way, also when there is no image in it.
    let _ = fs::remove_file(&region);
    let length = kept?;
    if !output.json {
        output.line(&format!(
            "saved to {}, {}",
            file.display(),
            size(length as u64)
        ))?;
    }
    let more = json!({ "file": file, "bytes": length });
    work::conclude(&outcome, board, simulated, output, more)
}

fn flash(bench: &Bench, looked: Looked, action: &RomfsAction, output: &Output) -> Result<(), Fail> {
    let RomfsAction::Flash {
        source,
        how,
        dry_run,
        full,
        force,
        ..
    } = action
    else {
        return Ok(());
    };
    let board = looked.board;
    if board.region(REGION).is_none() {
        return Err(Refusal::NoRegion {
            board: board.title.clone(),
            region: REGION.to_owned(),
            why: None,
        }
        .into());
    }
    let bytes = match source.is_dir() {
        true => build::build(source, Some(board), how, output)?.bytes,
        false => files::read(source)?,
    };
    if let (Err(fail), false) = (image(source, &bytes), *force) {
        return Err(fail);
    }
    let mut images = vec![files::named(board, source, bytes, REGION)?];
    if looked.state.family() == Family::Recovery {
        let simulated = looked.found.seen.simulated;
        images.extend(files::loaders(board, None, *force, simulated)?);
    }
    let wish = Wish {
        full: *full,
        force: *force,
        ..work::wish(&looked)
    };
    let plan = |state| omv_plan::flash(board, state, images.clone(), &wish);
    if *dry_run {
        return work::show(&plan(looked.state)?, &looked, output);
    }
    let simulated = looked.found.seen.simulated;
    let (outcome, board) = work::execute(bench, &plan, looked, output, &|_| PathBuf::new())?;
    work::conclude(&outcome, board, simulated, output, Value::Null)
}
