//! `omv model deploy`: a network and its labels onto a camera, and one prediction with them.
//!
//! ```text
//!   read, check against this camera  -- refused: exit 9, nothing was written
//!   choose the disk, write, have the camera hash what its next start will find
//!   (or read its ROM file system, add the files, flash that: `rom.rs`)
//!   run one prediction and show its labels and scores
//! ```

use std::time::Duration;

use omv_boards::Version;
use omv_camera::files::SaveError;
use omv_camera::session::{Options, Session};
use omv_fat::Refusal;
use omv_plan::model::label_file;
use omv_plan::sha256;
use serde_json::{Value, json};

use super::rom;
use super::source::{self, Given, Judged};
use crate::bench::Bench as Buses;
use crate::camera_files::{self, Root, quoted};
use crate::cli::{Common, ModelDeploy, ModelPlace};
use crate::fail::Fail;
use crate::output::{Output, clean, size};
use crate::signals::stop_on_interrupt;

/// What a network sees, once or for ever.
const LOOK: &str = include_str!("look.py");
/// Room that a disk has to keep.
const SPARE: u64 = 16 << 10;

/// A file, for the camera or on it.
pub struct Put {
    pub what: &'static str,
    pub path: String,
    pub bytes: Vec<u8>,
}

/// Runs the command.
pub fn run(common: &Common, args: &ModelDeploy, output: &Output) -> Result<(), Fail> {
    let given = source::open(&args.file, args.labels.as_deref())?;
    let stem = stem(&given, args.name.as_deref())?;
    let buses = Buses::new(common, "omv model deploy", stop_on_interrupt())?;
    let looked = buses.camera(None, Duration::ZERO, &mut |_| {})?;
    let simulated = looked.found.seen.simulated;
    let version: Option<Version> = looked.firmware().and_then(|version| version.parse().ok());
    let judged = given.judge(looked.board, version)?;
    let (camera, board) = (looked.found.label(), looked.board);
    let (session, root, put, folder) = if args.to == ModelPlace::Romfs {
        let put = files(&given, &judged, rom::FOLDER, &stem);
        let looked = rom::flash(&buses, looked, &put, output)?;
        let session = Session::open(&looked, Options::default())?;
        for one in &put {
            camera_files::confirm(&session, &one.path, &one.bytes)?;
        }
        let root = match args.script {
            true => choose(&camera_files::roots(&session)?, ModelPlace::Auto, SPARE)?,
            false => Root::default(),
        };
        (session, root, put, rom::FOLDER.to_owned())
    } else {
        let session = Session::open(&looked, Options::default())?;
        let needed = given.bytes.len() as u64 + SPARE;
        let root = choose(&camera_files::roots(&session)?, args.to, needed)?;
        let put = files(&given, &judged, &root.path, &stem);
        for one in &put {
            write(&session, one)?;
        }
        let folder = root.path.clone();
        (session, root, put, folder)
    };
    let model = format!("{folder}/{stem}.tflite");
    let labels = (!judged.labels.is_empty()).then(|| format!("{folder}/{stem}.txt"));
    let mut put = put;
    let mut kept = false;
    if args.script {
        let script = look(&model, labels.as_deref(), false).into_bytes();
        kept = write_main(&session, &root, script, args.replace_main, &mut put)?;
    }
    let place = match args.to {
        ModelPlace::Romfs => "romfs",
        _ => root.kind,
    };
    let predicted = predict(&session, &model, labels.as_deref());
    let firmware = session.info().firmware();
    session.close();
    buses.keep()?;
    let looks_for = label_file(&model, version);
    if output.json {
        let files = put.iter().map(|one| {
            json!({ "what": one.what, "path": one.path, "bytes": one.bytes.len(), "sha256": sha256(&one.bytes) })
        });
        let (prediction, trouble) = match &predicted {
            Ok(records) => (Some(records), None),
            Err(fail) => (None, Some(fail.message())),
        };
        return output.result(json!({
            "camera": camera, "board": board.name, "firmware": firmware,
            "simulated": simulated, "place": place, "files": files.collect::<Vec<_>>(),
            "labels": judged.labels, "label_file": looks_for, "notes": judged.notes,
            "main_kept": kept, "prediction": prediction, "prediction_trouble": trouble,
        }));
    }
    let title = &board.title;
    output.line(&clean(&format!("{title} runs firmware {firmware}")))?;
    for one in &put {
        let line = format!(
            "  {:<8} {} ({}), read back by the camera",
            one.what,
            one.path,
            size(one.bytes.len() as u64)
        );
        output.line(&clean(&line))?;
    }
    for note in &judged.notes {
        output.line(&clean(&format!("  note     {note}")))?;
    }
    if looks_for.is_none() && labels.is_some() {
        output.line("  labels   this firmware reads none by itself: the script has to")?;
    }
    if kept {
        output.line("  main.py  is another one and was kept; --replace-main replaces it")?;
    }
    show(&predicted, simulated, output)
}

fn show(
    predicted: &Result<Vec<Value>, Fail>,
    simulated: bool,
    output: &Output,
) -> Result<(), Fail> {
    let records = match predicted {
        Ok(records) => records,
        // It lies there and is whole; that it cannot be fed a picture is worth a line, not a failure.
        Err(fail) => {
            let line = format!("  predicts nothing from a picture: {}", fail.message());
            return output.line(&clean(&line));
        }
    };
    let mark = if simulated { ", simulated" } else { "" };
    for record in records {
        let number = |key: &str| record.get(key).and_then(Value::as_f64);
        let line = match (record.get("label").and_then(Value::as_str), number("score")) {
            (Some(label), Some(score)) => match (number("x"), number("y")) {
                (Some(x), Some(y)) => format!("  sees     {label} {score:.3} at {x:.0}, {y:.0}"),
                _ => format!("  score    {label} {score:.3}"),
            },
            _ => match (number("micros"), number("found")) {
                (Some(micros), Some(found)) => format!(
                    "One prediction found {found:.0} and took {:.1} ms{mark}.",
                    micros / 1e3
                ),
                _ => continue,
            },
        };
        output.line(&clean(&line))?;
    }
    Ok(())
}

/// The name the files get. A dot in it would lead the camera to another label file.
fn stem(given: &Given, named: Option<&str>) -> Result<String, Fail> {
    let plain = |name: &str| {
        let letters = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        letters && (1..=32).contains(&name.len())
    };
    if let Some(name) = named {
        return match plain(name) {
            true => Ok(name.to_owned()),
            false => Err(Fail::Usage {
                what: format!("`{name}` is no name for a network on a camera"),
                help: "Use up to 32 letters, digits, _ and -; the ending is added.".into(),
            }),
        };
    }
    let base = given.base();
    let stem = base.strip_suffix(".tflite").unwrap_or(base);
    let letters = stem
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() || c == '-' {
            true => c,
            false => '_',
        });
    let stem: String = letters.take(32).collect();
    Ok(if stem.is_empty() {
        "model".to_owned()
    } else {
        stem
    })
}

fn choose(roots: &[Root], wanted: ModelPlace, needed: u64) -> Result<Root, Fail> {
    let fits = |root: &&Root| match wanted {
        ModelPlace::Auto | ModelPlace::Romfs => true,
        // Before 4.6.20 there is one disk, and the camera does not say which.
        ModelPlace::Sd => root.kind != "flash",
        ModelPlace::Flash => root.kind != "sd",
    };
    let named: Vec<&Root> = roots.iter().filter(fits).collect();
    let roomy = named.iter().find(|root| root.free >= needed);
    let most = named.iter().map(|root| root.free).max();
    roomy.map(|root| (*root).clone()).ok_or_else(|| {
        let refusal = match most {
            Some(free) => Refusal::Full { need: needed, free },
            None => Refusal::NoVolume,
        };
        Fail::Camera(SaveError::Refused(refusal).into())
    })
}

/// The network and its labels, as they lie on the camera.
fn files(given: &Given, judged: &Judged, folder: &str, stem: &str) -> Vec<Put> {
    let file = |what, name: &str, bytes: Vec<u8>| Put {
        what,
        path: format!("{folder}/{name}"),
        bytes,
    };
    let mut files = vec![file(
        "network",
        &format!("{stem}.tflite"),
        given.bytes.clone(),
    )];
    if judged.labels.is_empty() {
        return files;
    }
    let mut text = judged.labels.join("\n");
    text.push('\n');
    let text = text.into_bytes();
    // `labels.txt` is for scripts that open it in the folder they start in: that is never /rom.
    if stem != "labels" && folder != rom::FOLDER {
        files.push(file("labels", &format!("{stem}.txt"), text.clone()));
        files.push(file("labels", "labels.txt", text));
    } else {
        files.push(file("labels", &format!("{stem}.txt"), text));
    }
    files
}

/// Writes a file; what is there already and the same is not written again.
fn write(session: &Session, one: &Put) -> Result<(), Fail> {
    if camera_files::hash(session, &one.path)?.as_deref() == Some(&*sha256(&one.bytes)) {
        return Ok(());
    }
    camera_files::put(session, &one.path, &one.bytes)
}

/// Writes `main.py`, and says whether another one was kept instead.
fn write_main(
    session: &Session,
    root: &Root,
    script: Vec<u8>,
    replace: bool,
    put: &mut Vec<Put>,
) -> Result<bool, Fail> {
    let path = format!("{}/main.py", root.path);
    let there = camera_files::hash(session, &path)?;
    let ours = there.as_deref() == Some(&*sha256(&script));
    if ours || there.is_some() && !replace {
        return Ok(!ours);
    }
    camera_files::put(session, &path, &script)?;
    let (what, bytes) = ("script", script);
    put.push(Put { what, path, bytes });
    Ok(false)
}

/// The script that shows what a network sees.
pub fn look(model: &str, labels: Option<&str>, once: bool) -> String {
    let labels = labels.map_or_else(|| "None".to_owned(), quoted);
    let model = format!("MODEL = {}", quoted(model));
    let once = if once { "ONCE = True" } else { "ONCE = False" };
    LOOK.replacen("MODEL = None", &model, 1)
        .replacen("LABELS = None", &format!("LABELS = {labels}"), 1)
        .replacen("ONCE = False", once, 1)
}

/// One prediction: its labels and scores.
pub fn predict(session: &Session, model: &str, labels: Option<&str>) -> Result<Vec<Value>, Fail> {
    camera_files::ask(session, &look(model, labels, true))
}
