//! `omv save`: a script on the camera's disk, proven to be there, and started.

use std::path::Path;
use std::time::Duration;

use omv_camera::files::{self, BlockSectors};
use omv_camera::{Error, Looked, look, reset, wait_for_camera};
use omv_fat::walk;
use omv_python::{Keep, lint, strip};
use omv_wire::v2::Leave;
use serde_json::json;

use super::args::{Save, To};
use super::door::{self, Door, Kind};
use crate::cli::Common;
use crate::fail::Fail;
use crate::output::{Output, clean, size};

/// Longest wait for a camera that restarts.
const RESTART: Duration = Duration::from_secs(30);
/// Largest script that is read.
const LARGEST: u64 = 16 << 20;

/// Runs the command.
pub fn run(common: &Common, args: &Save, output: &Output) -> Result<(), Fail> {
    let content = script(args, output)?;
    let mut door = door::open(common, &args.place, true, "omv save")?;
    is_wanted(&door, args.to)?;
    super::mend(&mut door, output)?;
    let name = args
        .name
        .trim_start_matches(':')
        .trim_matches('/')
        .to_owned();
    let saved = files::save(
        &mut *door.blocks,
        &mut *door.notebook,
        &name,
        &content,
        door::stamp(),
    )?;
    for warning in around(&mut door, &name) {
        warn(output, &warning)?;
    }
    let title = door.title.clone();
    let kind = door.kind;
    if !output.json {
        let how = match saved.unchanged {
            true => "was there already",
            false => "written, and read back twice",
        };
        output.line(&format!(
            "{name} on the {}: {} {how}.",
            clean(&title),
            size(saved.size)
        ))?;
    }
    let started = match door.camera.is_some() && !args.no_reset {
        true => Some(restart(door, &name, &content, output)?),
        false => None,
    };
    if output.json {
        return output.result(json!({
            "path": name, "disk": title, "kind": kind.name(), "bytes": saved.size,
            "unchanged": saved.unchanged, "restarted": started.is_some(),
        }));
    }
    Ok(())
}

/// Reads the script, looks for what would keep it from starting, and strips it if that was asked.
fn script(args: &Save, output: &Output) -> Result<Vec<u8>, Fail> {
    let path = &args.script;
    let reading = |error| Fail::file(path, "reading", error);
    let length = std::fs::metadata(path).map_err(reading)?.len();
    if length > LARGEST {
        return Err(Fail::Usage {
            what: format!("{} is too large for a script", path.display()),
            help: "Copy it with `omv cp` if it is data.".into(),
        });
    }
    let content = std::fs::read(path).map_err(reading)?;
    let is_python = Path::new(&args.name)
        .extension()
        .is_some_and(|end| end == "py");
    if !is_python {
        return Ok(content);
    }
    let report = lint(&content);
    for finding in &report.findings {
        warn(output, &format!("{}: {finding}", path.display()))?;
    }
    if report.is_broken() && !args.force {
        return Err(Fail::Usage {
            what: format!("{} would not start on the camera", path.display()),
            help: "Correct it, or save it all the same with --force.".into(),
        });
    }
    if !args.strip {
        return Ok(content);
    }
    let text = std::str::from_utf8(&content).map(|text| strip(text, Keep::LineNumbers));
    match text {
        Ok(Ok(stripped)) => Ok(stripped.into_bytes()),
        _ => Err(Fail::Usage {
            what: format!("{} cannot be stripped", path.display()),
            help: "Correct it, or save it without --strip.".into(),
        }),
    }
}

fn warn(output: &Output, text: &str) -> Result<(), Fail> {
    match output.json {
        true => output.object(&json!({ "event": "warning", "text": clean(text) })),
        false => {
            eprintln!("{} {}", output.paint("33", "warning:"), clean(text));
            Ok(())
        }
    }
}

/// The camera shows one disk: the card if it started from one.
fn is_wanted(door: &Door, to: To) -> Result<(), Fail> {
    let (what, help) = match (to, door.kind) {
        (To::Sd, Kind::Internal) => (
            "the camera has started from its internal disk",
            "Put the card in and reset the camera: it looks for a card only when it starts.",
        ),
        (To::Flash, Kind::Card) => (
            "the camera has started from its card and shows that",
            "Take the card out and reset the camera. While a card is in, the internal disk's \
             main.py would not run.",
        ),
        _ => return Ok(()),
    };
    Err(Fail::Usage {
        what: what.into(),
        help: help.into(),
    })
}

/// What else is on the disk that decides what starts.
fn around(door: &mut Door, saved: &str) -> Vec<String> {
    let mut sectors = BlockSectors::new(&mut *door.blocks);
    let Some(walk) = walk(&mut sectors, None) else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    for entry in walk.entries() {
        let shown = entry.shown.trim_matches('/');
        let name = shown.rsplit('/').next().unwrap_or(shown);
        let lower = name.to_lowercase();
        let in_root = !shown.contains('/');
        match lower.as_str() {
            "boot.py" if in_root && saved != "boot.py" => warnings.push(
                "boot.py is on the disk and runs before main.py; if it fails, main.py does not run"
                    .to_owned(),
            ),
            "skipsd" if in_root => {
                warnings.push("SKIPSD is on the disk: the camera ignores its card".to_owned());
            }
            "main.py.txt" | "._main.py" => {
                warnings.push(format!("{shown} is not what the camera starts"));
            }
            "main.py" if !in_root => {
                warnings.push(format!(
                    "{shown} is in a folder, where the camera does not look"
                ));
            }
            _ => {}
        }
    }
    warnings
}

/// Restarts the camera and reads the file once more, from the disk it has started from.
fn restart(door: Door, name: &str, content: &[u8], output: &Output) -> Result<(), Fail> {
    let Door { blocks, camera, .. } = door;
    // Closed, so that nobody holds the camera while it restarts.
    drop(blocks);
    let Some((bench, looked)) = camera else {
        return Ok(());
    };
    let Looked { found, who, .. } = &looked;
    let Some(who) = who else {
        return Ok(());
    };
    let visit = found.seen.visit;
    reset(found, who.generation, Leave::Reset)?;
    let place = found.seen.place.clone();
    let accept = |one: &omv_camera::Found| one.seen.place == place && one.seen.visit != visit;
    let mut seen = wait_for_camera(&bench.buses, RESTART, &bench.stop, accept)?;
    let found = seen.pop().ok_or(Error::NoCamera)?;
    let again = look_until_it_runs(&bench, found, &looked)?;
    let mut blocks = door::of_camera(&again, crate::cmd::disk::device::Access::Read)?;
    let now = super::read(&mut *blocks, name)?;
    drop(blocks);
    bench.keep()?;
    if now != content {
        return Err(files::SaveError::Returned {
            file: name.to_owned(),
            offset: 0,
        }
        .into());
    }
    if !output.json {
        output.line("The camera has restarted, and the file is there.")?;
    }
    Ok(())
}

/// A camera that restarts may show its bootloader first.
fn look_until_it_runs(
    bench: &crate::bench::Bench,
    found: omv_camera::Found,
    before: &Looked,
) -> Result<Looked, Fail> {
    let bus = found.bus.clone();
    let until = bus.now() + RESTART;
    let place = found.seen.place;
    while bus.now() < until {
        let there = bench.find()?;
        let mut running = there
            .into_iter()
            .filter(|one| one.seen.place == place && one.state() == omv_boards::State::Run);
        if let Some(one) = running.next() {
            match look(&one, Some(before.board)) {
                Ok(looked) => return Ok(looked),
                Err(Error::Gone { .. } | Error::Link(_) | Error::Protocol { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bus.wait(until)?;
    }
    Err(Error::NoCamera.into())
}
