//! `omv model info`: everything about a model file that can be known without a camera.

use std::collections::BTreeSet;
use std::time::Duration;

use omv_boards::{Board, Version};
use omv_camera::files::SaveError;
use omv_camera::session::{Options, Session};
use omv_fat::Refusal;
use omv_plan::model::{Finding, Suit, export, suit};

use super::report::Report;
use crate::bench::Bench as Buses;
use crate::camera_files;
use crate::cli::{Common, ModelInfo};
use crate::cmd::work;
use crate::fail::Fail;
use crate::files;
use crate::output::{Output, clean, size};
use crate::signals::stop_on_interrupt;

/// Runs the command.
pub fn run(common: &Common, args: &ModelInfo, output: &Output) -> Result<(), Fail> {
    let board = work::board(args.board.as_deref())?;
    let version = args.firmware.as_deref().map(version).transpose()?;
    if let Some(path) = args.file.to_str().and_then(|file| file.strip_prefix(':')) {
        let (bytes, own, says) = on_camera(common, path)?;
        let (board, version) = (board.unwrap_or(own), version.or(says));
        return tell(path, &bytes, Some(board), version, output);
    }
    let mut source = files::open(&args.file)?;
    let (name, bytes) = match source.names().as_slice() {
        // A file by itself is what it is, whatever it is called: networks of ST's keep the name.
        [name] => {
            let name = name.clone();
            let bytes = source.read(&name, 64 << 20)?;
            (name, bytes)
        }
        _ => {
            let export = export(&mut *source)?;
            (export.model_name, export.model)
        }
    };
    tell(&name, &bytes, board, version, output)
}

/// A file of the camera, with the board and release it lies on.
fn on_camera(
    common: &Common,
    path: &str,
) -> Result<(Vec<u8>, &'static Board, Option<Version>), Fail> {
    let buses = Buses::new(common, "omv model info", stop_on_interrupt())?;
    let looked = buses.camera(None, Duration::ZERO, &mut |_| {})?;
    let says = looked.firmware().and_then(|version| version.parse().ok());
    let session = Session::open(&looked, Options::default())?;
    if !camera_files::exists(&session, path)? {
        return Err(Fail::Camera(
            SaveError::Refused(Refusal::Missing(path.to_owned())).into(),
        ));
    }
    let bytes = camera_files::get(&session, path)?;
    session.close();
    buses.keep()?;
    Ok((bytes, looked.board, says))
}

fn tell(
    name: &str,
    bytes: &[u8],
    board: Option<&'static Board>,
    version: Option<Version>,
    output: &Output,
) -> Result<(), Fail> {
    let report = Report::new(name, bytes)?;
    let boards: Vec<&Board> = match board {
        Some(board) => vec![board],
        None => omv_boards::all()
            .iter()
            .filter(|b| !b.ml.is_empty())
            .collect(),
    };
    let mut suits = Vec::new();
    for one in boards {
        let versions = match (version, board) {
            (Some(version), _) => vec![version],
            (None, Some(board)) => eras(board),
            (None, None) => eras(one).into_iter().rev().take(1).collect(),
        };
        if versions.is_empty() {
            suits.push((one, suit(name, bytes, one, None)?));
        }
        for version in versions {
            suits.push((one, suit(name, bytes, one, Some(version))?));
        }
    }
    if output.json {
        return output.result(report.json(&suits));
    }
    for line in report.lines() {
        output.line(&clean(&line))?;
    }
    for (_, suit) in &suits {
        for line in lines(suit) {
            output.line(&clean(&line))?;
        }
    }
    if board.is_none() {
        output.line("Name one with --board to see every release of its firmware.")?;
    }
    Ok(())
}

/// A release from the command line.
pub fn version(text: &str) -> Result<Version, Fail> {
    text.parse::<Version>().map_err(|error| Fail::Usage {
        what: error.to_string(),
        help: "Name the firmware like 5.0.0; `omv info` shows a camera's.".into(),
    })
}

/// The releases at which something changes for models on a board: its memory, its runtime, or
/// where labels and models may lie.
fn eras(board: &Board) -> Vec<Version> {
    let Some(first) = board.ml.first().map(|ml| ml.since) else {
        return Vec::new();
    };
    let own = board.ml.iter().map(|ml| ml.since);
    let runtimes = omv_boards::runtimes().iter().map(|runtime| runtime.since);
    let places = ["4.7.0".parse().ok(), "5.0.0".parse().ok()];
    let all = own.chain(runtimes).chain(places.into_iter().flatten());
    let all: BTreeSet<Version> = all.filter(|version| *version >= first).collect();
    all.into_iter().collect()
}

/// A board and release in one line, and a line for each finding.
fn lines(suit: &Suit) -> Vec<String> {
    let firmware = suit.version.map_or_else(|| "any".into(), |v| v.to_string());
    let verdict = if suit.usable() {
        "may fit"
    } else {
        "cannot run"
    };
    let mut lines = vec![format!("{:<26} {firmware:<8} {verdict}", suit.board)];
    if suit.usable() {
        let those = |wanted: fn(&omv_plan::model::Place) -> bool| {
            let fitting = suit.places.iter().filter(|place| wanted(place));
            let shown = fitting.map(|place| format!("{} ({})", place.name, size(place.size)));
            shown.collect::<Vec<_>>().join(", ")
        };
        let arena = those(|place| place.arena == Some(true));
        if !arena.is_empty() {
            lines.push(format!("  arena    {arena}"));
        }
        lines.push(format!("  file     {}", those(|place| place.file)));
    }
    for finding in &suit.findings {
        lines.push(match finding {
            Finding::Refused(refusal) => format!("  refused  {refusal}"),
            Finding::Mind(text) => format!("  note     {text}"),
        });
    }
    lines
}
