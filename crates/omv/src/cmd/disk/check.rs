//! `omv disk check`: what is wrong, for the camera and for a PC.

use super::args::Check;
use super::device::Access;
use super::opened;
use super::{WRONG, screen};
use crate::cli::Common;
use crate::fail::Fail;
use crate::output::Output;

/// Runs the command.
pub fn run(common: &Common, args: &Check, output: &Output) -> Result<u8, Fail> {
    let mut disk = opened::open(
        common,
        &args.disk,
        Access::Read,
        args.sector_size,
        "omv disk check",
    )?;
    let title = disk.title(&args.disk);
    let options = disk.options();
    let report = omv_fat::check(&mut disk, &options);
    screen::report(&title, &report, output)?;
    let healthy = report.is_healthy();
    if output.json {
        output.result(screen::summary(&report))?;
    } else if healthy {
        output.line(&match report.mounted() {
            Some(_) => output.paint("32", "The disk is healthy, and a camera takes it."),
            None => output.paint("32", "The disk is healthy."),
        })?;
    } else {
        let path = args.disk.display();
        let lost = report.volumes.is_empty();
        output.line(&if lost {
            "There is nothing here that could be repaired. Is it the right disk?".to_owned()
        } else {
            format!("`omv disk rescue {path} FOLDER` copies the files out; `omv disk repair {path}` shows a plan.")
        })?;
    }
    Ok(if healthy { 0 } else { WRONG })
}
