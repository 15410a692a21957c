//! `omv doctor`: one screen with every problem that software can see, and the next step for each.
//!
//! ```text
//!   mod     which of its jobs is wanted; exit code
//!   screen  facts and findings as text and as JSON
//!   led     what a light means
//!   rules   the udev rules: print, install
//!   report  the zip for a forum post     blank   serial numbers out of everything in it
//! ```

mod blank;
mod led;
mod report;
mod rules;
mod screen;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use omv_camera::Looked;
use omv_camera::disk::Blocks;
use omv_camera::doctor::{Facts, Finding, Options, Remedy, Severity, diagnose, examine};
use omv_link::Bus;
use omv_link::native::health::Roots;

use crate::bench::Bench;
use crate::cli::{Common, Doctor};
use crate::cmd::disk::device::Access;
use crate::cmd::files::door::{self, Kind};
use crate::fail::Fail;
use crate::output::Output;
use crate::signals::stop_on_interrupt;

/// The exit code when there are problems; warnings and hints are none.
const UNHEALTHY: u8 = 11;

/// Runs the command; the exit code tells whether there are problems.
pub fn run(common: &Common, args: &Doctor, output: &Output) -> Result<u8, Fail> {
    if let Some(text) = &args.led {
        return led::run(text, common.camera.as_deref(), output).map(|()| 0);
    }
    let roots = args
        .root
        .as_deref()
        .map_or_else(Roots::default, Roots::under);
    if args.print_rules {
        return rules::print(output).map(|()| 0);
    }
    if args.install_rules {
        let real = args.root.is_none();
        return rules::install(&roots, real, args.yes, output).map(|()| 0);
    }
    let mut bench = Bench::new(common, "omv doctor", stop_on_interrupt())?;
    // A camera inside this process is alone: this machine has nothing to do with it.
    let inside = bench.wanted.is_none() && common.camera.is_some();
    if args.root.is_some() {
        bench.buses = made_up(&roots)?;
    }
    let record = args
        .report
        .as_ref()
        .map(|_| report::Record::around(&mut bench.buses));
    let options = Options {
        watch: args.watch.map(Duration::from_secs),
        expected: bench.wanted.as_deref().and_then(omv_boards::by_name),
        wanted: bench.wanted.clone(),
    };
    let facts = examine(
        &bench.buses,
        (!inside).then_some(&roots),
        &options,
        &bench.stop,
        Some(&disk),
    )?;
    bench.keep()?;
    let findings = diagnose(&facts);
    if let (Some(path), Some(record)) = (&args.report, &record) {
        let bytes = report::zip(&facts, &findings, &record.text())?;
        write_whole(path, &bytes).map_err(|error| Fail::file(path, "writing", error))?;
    }
    if output.json {
        let mut fields = screen::json(&facts, &findings);
        fields["report"] = args
            .report
            .as_ref()
            .map(|path| path.display().to_string())
            .into();
        output.result(fields)?;
    } else {
        for line in screen::lines(&facts, &findings, output) {
            output.line(&line)?;
        }
        if let Some(path) = &args.report {
            output.line(&format!(
                "report   {} (serial numbers are blanked)",
                path.display()
            ))?;
        }
    }
    let problems = findings.iter().any(|one| one.severity == Severity::Problem);
    Ok(if problems { UNHEALTHY } else { 0 })
}

/// The disk of a running camera, where this account may read it.
fn disk(looked: &Looked) -> Option<(Box<dyn Blocks>, bool)> {
    let blocks = door::of_camera(looked, Access::Read).ok()?;
    let card = door::kind_of(looked, &*blocks) == Kind::Card;
    Some((blocks, card))
}

/// The ports of a system whose trees lie below a folder.
#[cfg(target_os = "linux")]
fn made_up(roots: &Roots) -> Result<Vec<Arc<dyn Bus>>, Fail> {
    use omv_link::native::{NativeBus, System};

    let system = System {
        sys: roots.sys.clone(),
        dev: roots.dev.clone(),
        processes: roots.proc.clone(),
    };
    let locks = omv_link::hold::default_folder();
    Ok(vec![Arc::new(NativeBus::with(
        system,
        &locks,
        "omv doctor",
    ))])
}

/// Other systems do not keep their facts in files.
#[cfg(not(target_os = "linux"))]
fn made_up(_roots: &Roots) -> Result<Vec<Arc<dyn Bus>>, Fail> {
    Err(Fail::Usage {
        what: "only Linux keeps its facts in files".into(),
        help: "Leave --root out.".into(),
    })
}

/// The command that carries a finding's remedy out.
fn command(facts: &Facts, finding: &Finding) -> Option<String> {
    let root = facts.host.as_ref().is_some_and(|host| host.root);
    let sudo = if root { "" } else { "sudo " };
    let camera = finding
        .place
        .as_deref()
        // The port alone names the place, and needs no quotes.
        .and_then(|place| place.split(' ').next_back())
        .map_or(String::new(), |port| format!(" -c {port}"));
    Some(match finding.remedy? {
        Remedy::InstallRules => format!("{sudo}omv doctor --install-rules"),
        Remedy::ReloadRules => {
            format!("{sudo}udevadm control --reload && {sudo}udevadm trigger")
        }
        Remedy::Flash => format!("omv flash{camera} FIRMWARE"),
        Remedy::Recover => format!("omv recover{camera} FIRMWARE"),
        Remedy::Watch => "omv doctor --watch 60".to_owned(),
        Remedy::TestDisk => format!("omv disk test{camera}"),
        Remedy::Rescue => format!("omv disk rescue{camera} : FOLDER"),
        Remedy::RepairDisk => format!("omv disk repair{camera}"),
        Remedy::ListFiles => format!("omv ls{camera}"),
        Remedy::SetAside => format!("omv disk set-aside --bootloader{camera}"),
    })
}

/// Writes a file whole or not at all: beside it first, then in its place.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let written = || -> io::Result<()> {
        // A link that somebody put there is not followed.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    written().inspect_err(|_| {
        // It may not even have been made.
        let _ = fs::remove_file(&part);
    })
}
