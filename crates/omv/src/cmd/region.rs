//! `omv backup`, `omv restore`, `omv erase`: one region at a time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use omv_boards::State;
use omv_camera::Looked;
use omv_plan::{Plan, Refusal, Wish};
use serde_json::{Value, json};

use super::work;
use crate::bench::Bench;
use crate::cli::{Backup, Common, Erasable, Erase, Restore};
use crate::fail::Fail;
use crate::files;
use crate::output::Output;
use crate::signals::stop_on_interrupt;

/// How long a camera that is not there is waited for.
pub const WAIT: Duration = Duration::from_secs(60);

/// Runs `omv backup`.
pub fn backup(common: &Common, args: &Backup, output: &Output) -> Result<(), Fail> {
    let bench = Bench::new(common, "omv backup", stop_on_interrupt())?;
    let looked = bench.camera(work::board(args.board.as_deref())?, WAIT, &mut |_| {})?;
    let (board, wish) = (looked.board, work::wish(&looked));
    let plan = |state| omv_plan::save(board, state, &args.region, &wish);
    // What cannot be done is said before a file is.
    plan(looked.state)?;
    let file = free_name(args.output.as_deref(), &args.region);
    if !args.dry_run && file.exists() {
        return Err(exists(&file));
    }
    finish(&bench, &plan, looked, output, args.dry_run, Some(file))
}

/// Runs `omv restore`.
pub fn restore(common: &Common, args: &Restore, output: &Output) -> Result<(), Fail> {
    let bench = Bench::new(common, "omv restore", stop_on_interrupt())?;
    let looked = bench.camera(work::board(args.board.as_deref())?, WAIT, &mut |_| {})?;
    let bytes = files::read(&args.file)?;
    let image = files::named(looked.board, &args.file, bytes, &args.region)?;
    let wish = Wish {
        full: args.full,
        ..work::wish(&looked)
    };
    let board = looked.board;
    let plan = |state| omv_plan::restore(board, state, image.clone(), &wish);
    plan(looked.state)?;
    if !args.dry_run {
        let question = format!(
            "This replaces what is in `{}` of the camera. Go on?",
            args.region
        );
        work::consent(&question, args.yes, output)?;
    }
    finish(&bench, &plan, looked, output, args.dry_run, None)
}

/// Runs `omv erase`.
pub fn erase(common: &Common, args: &Erase, output: &Output) -> Result<(), Fail> {
    let Erasable::Disk = args.what;
    let bench = Bench::new(common, "omv erase", stop_on_interrupt())?;
    let looked = bench.camera(work::board(args.board.as_deref())?, WAIT, &mut |_| {})?;
    let wish = Wish {
        save_disk: !args.no_backup,
        ..work::wish(&looked)
    };
    let board = looked.board;
    let plan = |state| omv_plan::erase_disk(board, state, &wish);
    plan(looked.state)?;
    let file = (!args.no_backup).then(|| free_name(args.backup.as_deref(), "disk"));
    if !args.dry_run {
        if let Some(file) = file.as_deref().filter(|file| file.exists()) {
            return Err(exists(file));
        }
        let safety = match &file {
            Some(file) => format!("after saving it to {}", file.display()),
            None => "WITHOUT saving it".to_owned(),
        };
        let question = format!("This erases the internal disk of the camera, {safety}. Go on?");
        work::consent(&question, args.yes, output)?;
    }
    finish(&bench, &plan, looked, output, args.dry_run, file)
}

/// Shows or runs the plan; `file` receives what is read.
fn finish(
    bench: &Bench,
    plan: &dyn Fn(State) -> Result<Plan, Refusal>,
    looked: Looked,
    output: &Output,
    dry_run: bool,
    file: Option<PathBuf>,
) -> Result<(), Fail> {
    if dry_run {
        return work::show(&plan(looked.state)?, &looked, output);
    }
    let simulated = looked.found.seen.simulated;
    let target = file.clone().unwrap_or_default();
    let (outcome, board) = work::execute(bench, plan, looked, output, &move |_| target.clone())?;
    let mut more = Value::Null;
    if let Some(file) = file {
        if !output.json {
            output.line(&format!("saved to {}", file.display()))?;
        }
        more = json!({ "file": file });
    }
    work::conclude(&outcome, board, simulated, output, more)
}

/// The name that was given, or one that is not taken: `omv-disk.img`, `omv-disk-2.img`, ...
pub fn free_name(given: Option<&Path>, region: &str) -> PathBuf {
    if let Some(given) = given {
        return given.to_owned();
    }
    let region: String = region
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    let first = PathBuf::from(format!("omv-{region}.img"));
    let more = (2..).map(|number| PathBuf::from(format!("omv-{region}-{number}.img")));
    std::iter::once(first)
        .chain(more)
        .find(|path| !path.exists())
        .unwrap_or_default()
}

pub fn exists(file: &Path) -> Fail {
    Fail::Usage {
        what: format!("{} exists already", file.display()),
        help: "Name another file: a saved region is never overwritten.".to_owned(),
    }
}
