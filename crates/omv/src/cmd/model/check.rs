//! `omv model check`: whether a camera would run a network with these labels. Writes nothing.

use std::time::Duration;

use omv_boards::Version;
use omv_plan::model::label_file;
use serde_json::json;

use super::source;

use crate::bench::Bench as Buses;
use crate::cli::{Common, ModelCheck};
use crate::cmd::work;
use crate::fail::Fail;
use crate::output::{Output, clean};
use crate::signals::stop_on_interrupt;

/// Runs the command. What speaks against it is an error, with exit code 9.
pub fn run(common: &Common, args: &ModelCheck, output: &Output) -> Result<(), Fail> {
    let given = source::open(&args.file, args.labels.as_deref())?;
    let (board, version) = target(common, args)?;
    let judged = given.judge(board, version)?;
    let (name, base, names) = (&given.name, given.base(), &judged.labels);
    let notes = &judged.notes;
    let wanted = label_file(base, version);
    let firmware = version.map(|version| version.to_string());
    if output.json {
        return output.result(json!({
            "file": name, "board": board.name, "firmware": firmware, "usable": true,
            "labels": names, "label_file": wanted, "notes": notes,
        }));
    }
    let with = firmware.map_or_else(String::new, |version| format!(" with firmware {version}"));
    output.line(&clean(&format!("{base} may run on {}{with}.", board.title)))?;
    for note in notes {
        output.line(&clean(&format!("  note     {note}")))?;
    }
    if !names.is_empty() {
        output.line(&clean(&format!("  labels   {}", names.join(", "))))?;
    }
    let line = match wanted {
        Some(wanted) => {
            format!("  named    the camera reads labels from {wanted}, beside the network")
        }
        None => "  named    this firmware reads no labels by itself: the script has to".to_owned(),
    };
    output.line(&clean(&line))
}

/// The board and release that are meant: named, or those of the camera.
fn target(
    common: &Common,
    args: &ModelCheck,
) -> Result<(&'static omv_boards::Board, Option<Version>), Fail> {
    let named = args
        .firmware
        .as_deref()
        .map(super::info::version)
        .transpose()?;
    if let Some(board) = work::board(args.board.as_deref())? {
        return Ok((board, named));
    }
    let buses = Buses::new(common, "omv model check", stop_on_interrupt())?;
    let looked = buses.camera(None, Duration::ZERO, &mut |_| {})?;
    let says = looked.firmware().and_then(|version| version.parse().ok());
    Ok((looked.board, named.or(says)))
}
