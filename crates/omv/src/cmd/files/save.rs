//! `omv save`: a script on the camera's disk, proven to be there, and started.

use std::path::Path;
use std::time::Duration;

use omv_camera::disk::Blocks;
use omv_camera::files::{self, BlockSectors, OnCamera};
use omv_camera::session::{Notice, Options, Session};
use omv_camera::{Error, Looked, look, reset, wait_for_camera};
use omv_fat::walk;
use omv_link::LinkError;
use omv_python::{Keep, lint, strip};
use omv_wire::v2::Leave;
use serde_json::json;

use super::args::{Save, To};
use super::door::{self, Door, Kind};
use crate::cli::Common;
use crate::cmd::disk::device::Access;
use crate::fail::Fail;
use crate::output::{Output, clean, size};

/// Longest wait for a camera that restarts.
const RESTART: Duration = Duration::from_secs(30);
/// How long a script that has started is watched.
const LOOK: Duration = Duration::from_millis(1500);
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
    let by_camera = match args.from_here {
        true => None,
        false => by_camera(&mut door, &name, &content)?,
    };
    // What the camera wrote is read from here, too: then there is nothing left to write.
    let saved = files::save(
        &mut *door.blocks,
        &mut *door.notebook,
        &name,
        &content,
        door::stamp(),
    )?;
    let is_by_camera = by_camera.is_some_and(|saved| !saved.unchanged);
    let unchanged = saved.unchanged && !is_by_camera;
    for warning in around(&mut door, &name) {
        warn(output, &warning)?;
    }
    let title = door.title.clone();
    let kind = door.kind;
    if !output.json {
        let how = match (unchanged, is_by_camera) {
            (true, _) => "was there already",
            (false, true) => "written by the camera, and read back by it and from here",
            (false, false) => "written, and read back twice",
        };
        output.line(&format!(
            "{name} on the {}: {} {how}.",
            clean(&title),
            size(saved.size)
        ))?;
    }
    let started = match door.camera.is_some() && !args.no_reset {
        true => Some(restart(door, &name, &content, output)?),
        false => {
            door.keep()?;
            None
        }
    };
    if output.json {
        return output.result(json!({
            "path": name, "disk": title, "kind": kind.name(), "bytes": saved.size,
            "unchanged": unchanged, "by": if is_by_camera { "camera" } else { "computer" },
            "restarted": started.is_some(),
            "runs": started.flatten(),
        }));
    }
    Ok(())
}

/// Lets the camera write the file, onto a card. An internal disk has one table, which only the note of
/// what is written from here can mend.
fn by_camera(door: &mut Door, name: &str, content: &[u8]) -> Result<Option<OnCamera>, Fail> {
    if door.kind != Kind::Card {
        return Ok(None);
    }
    door.close()?;
    let saved = match &door.camera {
        None => Ok(None),
        Some((_, looked)) => Session::open(looked, Options::default()).and_then(|session| {
            let saved = files::save_on_camera(&session, name, content);
            session.close();
            saved
        }),
    };
    // The disk comes back in any case.
    let opened = door.reopen();
    let saved = saved?;
    opened?;
    Ok(saved)
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
fn restart(door: Door, name: &str, content: &[u8], output: &Output) -> Result<Option<bool>, Fail> {
    let Door { blocks, camera, .. } = door;
    // Closed, so that nobody holds the camera while it restarts.
    drop(blocks);
    let Some((bench, looked)) = camera else {
        return Ok(None);
    };
    let Looked { found, who, .. } = &looked;
    let Some(who) = who else {
        return Ok(None);
    };
    let visit = found.seen.visit;
    reset(found, who.generation, Leave::Reset)?;
    let place = found.seen.place.clone();
    let accept = |one: &omv_camera::Found| one.seen.place == place && one.seen.visit != visit;
    let mut seen = wait_for_camera(&bench.buses, RESTART, &bench.stop, accept)?;
    let found = seen.pop().ok_or(Error::NoCamera)?;
    let again = look_until_it_runs(&bench, found, &looked)?;
    let mut blocks = drive_of(&again)?;
    let differs = files::differs(&mut *blocks, name, content)?;
    drop(blocks);
    let runs = match name {
        "main.py" => Some(runs(&again, output)?),
        _ => None,
    };
    bench.keep()?;
    if let Some(offset) = differs {
        let file = name.to_owned();
        return Err(files::SaveError::Returned { file, offset }.into());
    }
    if !output.json {
        output.line(match runs {
            Some(true) => "The camera has restarted, the file is there, and it runs.",
            Some(false) => "The camera has restarted, the file is there, and it has ended.",
            None => "The camera has restarted, and the file is there.",
        })?;
    }
    Ok(runs)
}

/// Whether `main.py` runs, a moment after the camera has started; what it prints of a mistake is
/// handed on.
fn runs(looked: &Looked, output: &Output) -> Result<bool, Fail> {
    let session = Session::open(looked, Options::default())?;
    let watch = session.watch();
    let until = session.now() + LOOK;
    let mut text = Vec::new();
    while session.now() < until {
        match watch.next(until.saturating_sub(session.now())) {
            Some(Notice::Text(more)) if text.len() < 4096 => text.extend_from_slice(&more),
            Some(Notice::Closed | Notice::Lost) | None => break,
            Some(_) => {}
        }
    }
    let runs = session.is_running();
    session.close();
    let text = String::from_utf8_lossy(&text);
    if let Some((_, mistake)) = text.split_once("Traceback") {
        let lines = mistake.lines().skip(1).map(str::trim);
        let mistake: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        warn(output, &format!("it raised: {}", mistake.join("; ")))?;
    }
    Ok(runs)
}

/// Its disk. The system takes a moment to make a drive of it.
fn drive_of(looked: &Looked) -> Result<Box<dyn Blocks>, Fail> {
    let bus = &looked.found.bus;
    let until = bus.now() + RESTART;
    loop {
        match door::of_camera(looked, Access::Read) {
            Err(Fail::Camera(Error::Link(LinkError::NoFunction { .. }))) if bus.now() < until => {
                bus.wait(until.min(bus.now() + LOOK))?;
            }
            other => return other,
        }
    }
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
