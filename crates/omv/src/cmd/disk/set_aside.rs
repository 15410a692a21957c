//! `omv disk set-aside`: the program that keeps a camera from starting gets another name.

use omv_boards::State;
use omv_fat::Memory;
use serde_json::json;

use super::args::SetAside;
use super::device::Access;
use super::opened;
use crate::bench::Bench;
use crate::cli::Common;
use crate::cmd::region::{WAIT, exists, free_name};
use crate::cmd::work;
use crate::fail::Fail;
use crate::files;
use crate::output::{Output, clean};
use crate::signals::stop_on_interrupt;

/// Runs the command.
pub fn run(common: &Common, args: &SetAside, output: &Output) -> Result<(), Fail> {
    match args.bootloader {
        true => through_bootloader(common, args, output),
        false => on_disk(common, args, output),
    }
}

fn ask(args: &SetAside, called: &str, output: &Output) -> Result<(), Fail> {
    let file = clean(&args.file);
    let question = format!("This gives {file} the name {}. Go on?", clean(called));
    work::consent(&question, args.yes, output)
}

fn told(args: &SetAside, called: &str, sectors: usize, output: &Output) -> Result<(), Fail> {
    if output.json {
        let (file, called) = (clean(&args.file), clean(called));
        return output.result(json!({ "file": file, "called": called, "sectors": sectors }));
    }
    let plural = if sectors == 1 { "" } else { "s" };
    output.line(&format!(
        "{} is called {} now; {sectors} sector{plural} changed, and no other file.",
        clean(&args.file),
        clean(called)
    ))
}

/// A disk whose blocks can be written.
fn on_disk(common: &Common, args: &SetAside, output: &Output) -> Result<(), Fail> {
    let path = &args.disk;
    let mut disk = opened::open(common, path, Access::Write, None, "omv disk set-aside")?;
    let (change, called) = omv_fat::set_aside(&mut disk, &args.file)?;
    ask(args, &called, output)?;
    change.apply(&mut disk).map_err(Fail::Disk)?;
    disk.keep()?;
    told(args, &called, change.writes.len(), output)
}

/// The internal disk of a camera that is caught as its bootloader passes: read, changed in one
/// sector, and that sector written back.
fn through_bootloader(common: &Common, args: &SetAside, output: &Output) -> Result<(), Fail> {
    let bench = Bench::new(common, "omv disk set-aside", stop_on_interrupt())?;
    let looked = bench.camera(None, WAIT, &mut |_| {})?;
    let (board, wish) = (looked.board, work::wish(&looked));
    let save = |state: State| omv_plan::save(board, state, "disk", &wish);
    // What cannot be done is said before a file is.
    save(looked.state)?;
    let backup = free_name(args.backup.as_deref(), "disk");
    if backup.exists() {
        return Err(exists(&backup));
    }
    let file = backup.clone();
    work::execute(&bench, &save, looked, output, &move |_| file.clone())?;
    let bytes = files::read(&backup)?;
    let sector = match board.mcu.starts_with("STM32") {
        true => 512,
        false => 4096,
    };
    let mut disk = Memory::new(sector, bytes);
    let (change, called) = omv_fat::set_aside(&mut disk, &args.file)?;
    change.apply(&mut disk).map_err(Fail::Disk)?;
    ask(args, &called, output)?;
    let image = files::named(board, &backup, disk.bytes, "disk")?;
    let restore = |state: State| omv_plan::restore(board, state, image.clone(), &wish);
    let again = bench.camera(Some(board), WAIT, &mut |_| {})?;
    work::execute(&bench, &restore, again, output, &|_| backup.clone())?;
    bench.keep()?;
    if !output.json {
        output.line(&format!("The disk as it was is in {}.", backup.display()))?;
    }
    told(args, &called, change.writes.len(), output)
}
