//! `omv disk repair`: the plan, consent, the undo file, the writes, and another check.

use omv_fat::{Loss, Work};
use serde_json::json;

use super::args::Repair;
use super::device::Access;
use super::opened;
use super::{WRONG, screen, undo};
use crate::cli::Common;
use crate::cmd::region::free_name;
use crate::cmd::work;
use crate::fail::Fail;
use crate::output::{Output, clean};
use crate::signals::stop_on_interrupt;

/// Steps a person is shown.
const SHOWN: usize = 40;

/// Runs the command.
pub fn run(common: &Common, args: &Repair, output: &Output) -> Result<u8, Fail> {
    let (path, sector) = (&args.disk, args.sector_size);
    let mut disk = opened::open(common, path, Access::Read, sector, "omv disk repair")?;
    let title = disk.title(path);
    let options = disk.options();
    let work = omv_fat::repair(&mut disk, &options).map_err(Fail::Disk)?;
    show(&title, &work, output)?;
    if work.steps.is_empty() || args.dry_run {
        return conclude(&title, &work, false, output);
    }
    // Refused before the question, if it is.
    let mut disk = disk.for_writing(path, sector)?;
    let warning = match work.loss() {
        Loss::Data => " Something is given up; `omv disk rescue` copies the files out first.",
        _ => "",
    };
    let sectors = work.writes.len();
    let question = format!("This writes {sectors} sectors.{warning} Go on?");
    work::consent(&question, args.yes, output)?;
    let file = free_name(args.undo.as_deref(), "undo").with_extension("txt");
    let file = args.undo.clone().unwrap_or_else(|| undo::unused(&file));
    undo::write(&file, &disk, &work)?;
    if !output.json {
        output.line(&format!(
            "What is written over is kept in {}",
            file.display()
        ))?;
    }
    let stop = stop_on_interrupt();
    work.write(&mut disk, |_| !stop.asked())
        .map_err(Fail::Disk)?;
    let mut disk = disk.anew(path, sector)?;
    let after = omv_fat::check(&mut disk, &options);
    disk.keep()?;
    let work = Work { after, ..work };
    conclude(&title, &work, true, output)
}

fn show(title: &str, work: &Work, output: &Output) -> Result<(), Fail> {
    if output.json {
        let steps: Vec<_> = work
            .steps
            .iter()
            .map(|step| {
                json!({
                    "code": step.kind.code(),
                    "path": step.path.as_deref().map(clean),
                    "what": clean(&step.what),
                    "loss": step.loss.name(),
                })
            })
            .collect();
        return output.object(&json!({ "event": "planned", "steps": steps }));
    }
    screen::report(title, &work.before, output)?;
    if work.steps.is_empty() {
        return output.line("There is nothing to repair.");
    }
    output.line("The plan:")?;
    for step in work.steps.iter().take(SHOWN) {
        let path = step.path.as_ref().map(|path| format!("{}: ", clean(path)));
        let (code, what) = (step.kind.code(), clean(&step.what));
        output.line(&format!(
            "  {code:<20} {}{what}, {}",
            path.unwrap_or_default(),
            step.loss.name()
        ))?;
    }
    if work.steps.len() > SHOWN {
        output.line(&format!("  ... and {} more", work.steps.len() - SHOWN))?;
    }
    Ok(())
}

fn conclude(title: &str, work: &Work, written: bool, output: &Output) -> Result<u8, Fail> {
    let healthy = work.after.is_healthy();
    let left = work
        .after
        .findings
        .iter()
        .filter(|finding| finding.kind.about().severity > omv_fat::Severity::Note);
    let left: Vec<_> = left.collect();
    if output.json {
        let mut result = screen::summary(&work.after);
        if let Some(fields) = result.as_object_mut() {
            fields.insert("steps".into(), json!(work.steps.len()));
            fields.insert("sectors".into(), json!(work.writes.len()));
            fields.insert("written".into(), json!(written));
        }
        output.result(result)?;
    } else if written {
        let text = if healthy {
            "The disk was repaired, and is healthy."
        } else {
            "The disk was repaired as far as it can be."
        };
        output.line(text)?;
    } else if !work.steps.is_empty() {
        let sectors = work.writes.len();
        output.line(&format!(
            "{} would be written to, {sectors} sectors.",
            clean(title)
        ))?;
    }
    if !output.json {
        for finding in left {
            output.line(&format!(
                "  left: {} ({})",
                finding.kind.code(),
                clean(&finding.detail)
            ))?;
        }
    }
    Ok(if healthy { 0 } else { WRONG })
}
