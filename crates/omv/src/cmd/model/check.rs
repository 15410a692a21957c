//! `omv model check`: whether a camera would run a network with these labels. Writes nothing.

use std::path::Path;
use std::time::Duration;

use omv_boards::Version;
use omv_plan::Refusal;
use omv_plan::model::{Finding, export, label_file, labels, suit};
use omv_wire::tflite::{self, Model};
use serde_json::json;

use crate::bench::Bench as Buses;
use crate::cli::{Common, ModelCheck};
use crate::cmd::work;
use crate::fail::Fail;
use crate::files;
use crate::output::{Output, clean};
use crate::signals::stop_on_interrupt;

/// Larger label files are none.
const LARGEST_LABELS: usize = 1 << 20;

/// Runs the command. What speaks against it is an error, with exit code 9.
pub fn run(common: &Common, args: &ModelCheck, output: &Output) -> Result<(), Fail> {
    let mut source = files::open(&args.file)?;
    let own = args.file.file_name().map(|name| name.to_string_lossy());
    let (name, bytes, inside) = match source.names().as_slice() {
        // A file by itself is judged by its content, whatever it is called.
        [name] if own.as_deref() == Some(name) => {
            let name = name.clone();
            let bytes = source.read(&name, 64 << 20)?;
            (name, bytes, None)
        }
        _ => {
            let export = export(&mut *source)?;
            (export.model_name, export.model, export.labels)
        }
    };
    let (board, version) = target(common, args)?;
    let suit = suit(&name, &bytes, board, version)?;
    if let Some(refusal) = suit.refusal() {
        return Err(refusal.clone().into());
    }
    let given = match &args.labels {
        Some(path) => Some((path.display().to_string(), small(path)?)),
        None => inside.or_else(|| beside(&args.file)),
    };
    let mut names = Vec::new();
    if let (Some((file, text)), false) = (&given, tflite::is_st_edge_ai(&bytes)) {
        let model = Model::read(&bytes).map_err(|error| Refusal::NotAModel {
            file: name.clone(),
            why: error.to_string(),
        })?;
        names = labels(file, text, &model)?;
    }
    let base = name.rsplit('/').next().unwrap_or(&name).to_owned();
    let wanted = label_file(&base, version);
    let notes: Vec<&String> = suit
        .findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::Mind(text) => Some(text),
            Finding::Refused(_) => None,
        })
        .collect();
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

fn small(path: &Path) -> Result<Vec<u8>, Fail> {
    let mut bytes = files::read(path)?;
    bytes.truncate(LARGEST_LABELS);
    Ok(bytes)
}

/// A label file that lies beside a loose model: its own, else `labels.txt`.
fn beside(model: &Path) -> Option<(String, Vec<u8>)> {
    let own = model.with_extension("txt");
    let usual = model.with_file_name("labels.txt");
    let path = [own, usual]
        .into_iter()
        .find(|path| path.is_file() && path != model)?;
    let bytes = small(&path).ok()?;
    Some((path.display().to_string(), bytes))
}
