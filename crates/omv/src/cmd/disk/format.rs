//! `omv disk format`: a new disk that cameras and PCs both take. Asks twice.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use omv_fat::{Blueprint, Form, Scheme};
use serde_json::json;

use super::args::{FileSystem, Format};
use super::device::{Access, removable};
use super::{opened, screen};
use crate::cli::Common;
use crate::cmd::work;
use crate::fail::Fail;
use crate::output::Output;

/// The file by which cameras and the IDE know a camera's disk.
const MARKER: &str = ".openmv_disk";

/// Runs the command.
pub fn run(common: &Common, args: &Format, output: &Output) -> Result<(), Fail> {
    let (path, sector) = (&args.disk, args.sector_size);
    if path != Path::new(opened::CAMERA) {
        removable(path)?;
    }
    let mut disk = opened::open(common, path, Access::Write, sector, "omv disk format")?;
    let title = disk.title(path);
    twice(
        &args.disk,
        disk.size(),
        args.yes,
        args.erase.as_deref(),
        output,
    )?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let wish = Blueprint {
        form: match args.file_system {
            FileSystem::Auto => None,
            FileSystem::Fat12 => Some(Form::Fat12),
            FileSystem::Fat16 => Some(Form::Fat16),
            FileSystem::Fat32 => Some(Form::Fat32),
            FileSystem::Exfat => Some(Form::Exfat),
        },
        scheme: if args.no_table {
            Scheme::Whole
        } else {
            Scheme::Mbr
        },
        label: args.label.clone(),
        serial: now.as_secs() as u32 ^ now.subsec_nanos(),
        files: if args.no_marker {
            Vec::new()
        } else {
            vec![MARKER.to_owned()]
        },
    };
    omv_fat::format(&mut disk, &wish).map_err(Fail::Disk)?;
    let options = omv_fat::Options {
        sector_size_known: true,
        content: false,
    };
    let report = omv_fat::check(&mut disk, &options);
    if !report.is_healthy() {
        // What was written did not arrive.
        return Err(Fail::Disk(omv_fat::Fault::Unwritable { sector: 0 }));
    }
    disk.keep()?;
    if output.json {
        return output.result(json!({ "disk": args.disk, "report": screen::summary(&report) }));
    }
    screen::report(&title, &report, output)?;
    output.line("The disk is new and empty.")
}

/// Two questions; the answer to the second one is the disk's name.
pub fn twice(
    path: &Path,
    size: u64,
    yes: bool,
    erase: Option<&Path>,
    output: &Output,
) -> Result<(), Fail> {
    let what = format!("{} ({})", path.display(), crate::output::size(size));
    work::consent(
        &format!("EVERYTHING on {what} will be lost. Go on?"),
        yes,
        output,
    )?;
    if erase == Some(path) {
        return Ok(());
    }
    if erase.is_some() {
        return Err(Fail::Usage {
            what: format!("--erase names another disk than {}", path.display()),
            help: "Name the same disk twice, if you are sure.".into(),
        });
    }
    let question = format!(
        "Really erase {what}? (a script says it with --erase {})",
        path.display()
    );
    work::consent(&question, false, output)
}
