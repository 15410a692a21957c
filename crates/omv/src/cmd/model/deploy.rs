//! `omv model deploy`: a network and its labels onto a camera, and one prediction with them.
//!
//! ```text
//!   read, check against this camera  -- refused: exit 9, nothing was written
//!   choose where to, write (the internal one from here, with a note; a card by the camera), have the
//!   camera hash what its next start will find
//!   (or read its ROM file system, add the files, flash that: `rom.rs`)
//!   run one prediction and show its labels and scores
//! ```

use std::time::Duration;

use omv_boards::Version;
use omv_camera::files::{self, SaveError};
use omv_camera::session::{Options, Session};
use omv_camera::{Error, Looked};
use omv_fat::Refusal;
use omv_link::LinkError;
use omv_plan::model::label_file;
use omv_plan::sha256;
use serde_json::json;

use super::rom;
use super::seen::{look, predict, show};
use super::source::{self, Given, Judged};
use crate::bench::Bench as Buses;
use crate::camera_files::{self, Root};
use crate::cli::{Common, ModelDeploy, ModelPlace};
use crate::cmd::disk::device::Access;
use crate::cmd::files::door::{self, Kind};
use crate::fail::Fail;
use crate::output::{Output, clean, size};
use crate::signals::stop_on_interrupt;

/// Room that a disk has to keep.
const SPARE: u64 = 16 << 10;

/// A file that was put there.
struct Put {
    what: &'static str,
    path: String,
    bytes: usize,
    sha256: String,
}

/// A file as it will lie on the camera.
pub struct File {
    pub what: &'static str,
    pub path: String,
    pub bytes: Vec<u8>,
}

/// A file that has to be there.
struct Job {
    what: &'static str,
    path: String,
    bytes: Vec<u8>,
    sha256: String,
    is_there: bool,
}

impl From<Job> for Put {
    fn from(job: Job) -> Self {
        Self {
            what: job.what,
            path: job.path,
            bytes: job.bytes.len(),
            sha256: job.sha256,
        }
    }
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
    let for_rom = files(&given, &judged, rom::FOLDER, &stem);
    let in_rom = match args.to {
        ModelPlace::Romfs => true,
        ModelPlace::Auto => rom::takes(&looked, version, &for_rom)?,
        ModelPlace::Sd | ModelPlace::Flash => false,
    };
    let looked = match in_rom {
        true => rom::flash(&buses, looked, &for_rom, output)?,
        false => looked,
    };
    let mut session = Session::open(&looked, Options::default())?;
    let root = match in_rom && !args.script {
        true => Root::default(),
        false => {
            let network = if in_rom { 0 } else { given.bytes.len() as u64 };
            choose(&camera_files::roots(&session)?, args.to, network + SPARE)?
        }
    };
    let folder = if in_rom { rom::FOLDER } else { &root.path };
    let (jobs, kept) = jobs(&session, &given, &judged, &root, folder, &stem, args)?;
    // The camera has hashed what it finds there: what differs is said with its first byte.
    for job in jobs
        .iter()
        .filter(|job| in_rom && job.what != "script" && !job.is_there)
    {
        camera_files::confirm(&session, &job.path, &job.bytes)?;
    }
    let new: Vec<&Job> = jobs.iter().filter(|job| !job.is_there).collect();
    let mut noted = new.is_empty() || root.kind == "sd";
    if !noted {
        session.close();
        noted = from_here(common, &looked, &root.path, &new)?;
        session = Session::open(&looked, Options::default())?;
        // Whatever runs next mounts the disk anew.
        camera_files::hash(&session, "main.py")?;
    }
    for job in new {
        // What was written from here is there already for the camera, which hashes it.
        camera_files::put(&session, &job.path, &job.bytes)?;
    }
    let put: Vec<Put> = jobs.into_iter().map(Put::from).collect();
    let model = format!("{folder}/{stem}.tflite");
    let labels = (!judged.labels.is_empty()).then(|| format!("{folder}/{stem}.txt"));
    let place = if in_rom { "romfs" } else { root.kind };
    let predicted = predict(&session, &model, labels.as_deref());
    let firmware = session.info().firmware();
    session.close();
    buses.keep()?;
    let looks_for = label_file(&model, version);
    if output.json {
        let files = put.iter().map(|one| {
            json!({ "what": one.what, "path": one.path, "bytes": one.bytes, "sha256": one.sha256 })
        });
        let (prediction, trouble) = match &predicted {
            Ok(records) => (Some(records), None),
            Err(fail) => (None, Some(fail.message())),
        };
        return output.result(json!({
            "camera": looked.found.label(), "board": looked.board.name, "firmware": firmware,
            "simulated": simulated, "place": place, "files": files.collect::<Vec<_>>(),
            "labels": judged.labels, "label_file": looks_for, "notes": judged.notes,
            "main_kept": kept, "noted": (root.kind != "sd" && !in_rom).then_some(noted),
            "prediction": prediction, "prediction_trouble": trouble,
        }));
    }
    let title = &looked.board.title;
    output.line(&clean(&format!("{title} runs firmware {firmware}")))?;
    for one in &put {
        let line = format!(
            "  {:<8} {} ({}), read back by the camera",
            one.what,
            one.path,
            size(one.bytes as u64)
        );
        output.line(&clean(&line))?;
    }
    if !noted {
        output.line("  note     the camera wrote its internal disk alone: a cut in the middle could have cost it")?;
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
fn files(given: &Given, judged: &Judged, folder: &str, stem: &str) -> Vec<File> {
    let file = |what, name: &str, bytes: &[u8]| File {
        what,
        path: format!("{folder}/{name}"),
        bytes: bytes.to_vec(),
    };
    let mut files = vec![file("network", &format!("{stem}.tflite"), &given.bytes)];
    if judged.labels.is_empty() {
        return files;
    }
    let text = judged.labels.join("\n") + "\n";
    files.push(file("labels", &format!("{stem}.txt"), text.as_bytes()));
    // `labels.txt` is for scripts that open it in the folder they start in: that is never /rom.
    if stem != "labels" && folder != rom::FOLDER {
        files.push(file("labels", "labels.txt", text.as_bytes()));
    }
    files
}

/// What has to be there; the second is whether another `main.py` was kept.
fn jobs(
    session: &Session,
    given: &Given,
    judged: &Judged,
    root: &Root,
    folder: &str,
    stem: &str,
    args: &ModelDeploy,
) -> Result<(Vec<Job>, bool), Fail> {
    let mut wanted = files(given, judged, folder, stem);
    let model = format!("{folder}/{stem}.tflite");
    let labels = format!("{folder}/{stem}.txt");
    if args.script {
        let named = (!judged.labels.is_empty()).then_some(&*labels);
        wanted.push(File {
            what: "script",
            path: format!("{}/main.py", root.path),
            bytes: look(&model, named, false).into_bytes(),
        });
    }
    let paths: Vec<&str> = wanted.iter().map(|file| &*file.path).collect();
    let there = camera_files::hashes(session, &paths)?;
    let (mut all, mut kept) = (Vec::new(), false);
    for (File { what, path, bytes }, there) in wanted.into_iter().zip(there) {
        let sha256 = sha256(&bytes);
        let is_there = there.as_deref() == Some(&*sha256);
        if what == "script" && there.is_some() && (is_there || !args.replace_main) {
            kept = !is_there;
            continue;
        }
        all.push(Job {
            what,
            path,
            bytes,
            sha256,
            is_there,
        });
    }
    Ok((all, kept))
}

/// Writes the internal disk from here, if it is what the camera shows and this account may: its one
/// table can only be put right after a cut with the note that is kept here. Whether it was written.
fn from_here(common: &Common, looked: &Looked, root: &str, jobs: &[&Job]) -> Result<bool, Fail> {
    door::quiet(looked)?;
    let mut disk = match door::of_camera(looked, Access::Write) {
        Ok(disk) => disk,
        Err(
            Fail::Mounted { .. }
            | Fail::DiskRights { .. }
            | Fail::Camera(Error::Link(LinkError::NoFunction { .. })),
        ) => return Ok(false),
        Err(error) => return Err(error),
    };
    let kind = door::kind_of(looked, &*disk);
    if kind != Kind::Internal {
        return Ok(false);
    }
    let mut notebook = door::notebook_of(common, looked, kind);
    for job in jobs {
        let name = job.path.strip_prefix(root).unwrap_or(&job.path);
        let name = name.trim_start_matches('/');
        let stamp = door::stamp();
        files::save(&mut *disk, &mut *notebook, name, &job.bytes, stamp)?;
    }
    Ok(true)
}
