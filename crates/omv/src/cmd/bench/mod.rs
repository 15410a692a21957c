//! `omv bench`: how long pictures and predictions take on a camera, and what they cost.

mod files;
#[cfg(all(test, unix))]
mod kit;
mod link;
mod meter;

use std::path::Path;
use std::time::Duration;

use omv_bench::{Comparison, Reader, Run, Size, Verdict, Window, Wish, compare, script, table};
use omv_camera::files::SaveError;
use omv_camera::session::{Ended, Limits, Options, Session};
use omv_fat::Refusal;
use omv_plan::{model::suit, sha256};
use serde_json::json;

use self::meter::{Meter, Watcher};
use crate::bench::Bench as Buses;
use crate::camera_files;
use crate::cli::{Bench, BenchCommand, Common, Measure};
use crate::fail::Fail;
use crate::files as sources;
use crate::output::{Output, clean};
use crate::signals::stop_on_interrupt;

/// The longest a measurement may take.
const LONGEST: Duration = Duration::from_secs(3600);
/// What a copy that is removed afterwards is called.
const BORROWED: &str = "omv_bench.tflite";
/// Room that a disk has to keep.
const SPARE: u64 = 16 << 10;
/// What a result calls the pin that made the signature.
const PIN: &str = "pin";
/// A measurement prints less.
const TEXT: usize = 64 << 20;

/// Runs the command. The exit code is 12 when something became slower.
pub fn run(common: &Common, args: &Bench, output: &Output) -> Result<u8, Fail> {
    match &args.command {
        Some(BenchCommand::Compare { before, after }) => compared(before, after, output),
        Some(BenchCommand::Energy {
            result,
            power,
            volts,
        }) => {
            let mut run = files::read(result)?;
            energy(&mut run, &Meter::parse(power, *volts)?, None)?;
            show(&run, &args.measure, output)?;
            Ok(0)
        }
        Some(BenchCommand::Link) => link::run(common, output).map(|()| 0),
        None => measured(common, &args.measure, output).map(|()| 0),
    }
}

fn measured(common: &Common, args: &Measure, output: &Output) -> Result<(), Fail> {
    let sizes = args.sizes.iter().map(|size| size.parse::<Size>());
    let sizes = sizes.collect::<Result<Vec<_>, _>>().map_err(Fail::Bench)?;
    let meter = args
        .power
        .as_deref()
        .map(|power| Meter::parse(power, args.volts))
        .transpose()?;
    let buses = Buses::new(common, "omv bench", stop_on_interrupt())?;
    let looked = buses.camera(None, Duration::ZERO, &mut |_| {})?;
    let simulated = looked.found.seen.simulated;
    let session = Session::open(&looked, Options::default())?;
    let firmware = session.info().firmware();
    let guest = match args.model.as_deref() {
        None => Guest::default(),
        // A path on the camera; its content is the camera's to judge.
        Some(path) if is_on_camera(path) => {
            let path = path.trim_start_matches(':');
            Guest {
                hash: camera_files::hash(&session, path)?,
                path: Some(path.to_owned()),
                ..Guest::default()
            }
        }
        Some(path) => {
            let bytes = sources::read(Path::new(path))?;
            let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
            let suit = suit(name, &bytes, looked.board, firmware.parse().ok())?;
            if let Some(refusal) = suit.refusal() {
                return Err(refusal.clone().into());
            }
            Guest::invite(&session, name, &bytes, args.at.as_deref())?
        }
    };
    let watcher = meter.as_ref().map(Meter::watch).transpose()?.flatten();
    let rate = watcher.as_ref().map_or(1000.0, Watcher::rate);
    let wish = Wish {
        model: guest.path.clone(),
        sizes,
        pixels: args
            .pixformat
            .iter()
            .map(|name| name.to_ascii_uppercase())
            .collect(),
        frames: args.frames,
        warm: args.warmup,
        power: meter.is_some().then(|| Window::for_rate(rate)),
        pin: args.pin.clone(),
    };
    let source = script(&wish);
    let limits = Limits::default().time(LONGEST).text(TEXT);
    let said = session.execute(source.as_bytes(), &limits)?;
    let mut reader = Reader::new(simulated);
    reader.feed(&said.text_lossy());
    let mut run = reader.finish();
    let raised = match &said.ended {
        Ended::Raised(traceback) => Some(format!("{}: {}", traceback.kind, traceback.message)),
        _ => None,
    };
    run.trouble.extend(raised.clone());
    if said.missing > 0 {
        run.trouble
            .push(format!("{} bytes of text were lost", said.missing));
    }
    let mut know = |name: &str, value: String| run.identity.insert(name.to_owned(), value);
    know("board", looked.board.title.clone());
    know("firmware", firmware);
    know("link", looked.found.seen.place.to_string());
    know("script", sha256(source.as_bytes()));
    know("preview", "off".to_owned());
    know("host", format!("omv {}", env!("CARGO_PKG_VERSION")));
    if let Some(pin) = args.pin.clone() {
        know(PIN, pin);
    }
    if let Some(model) = guest.name.clone().or(guest.path.clone()) {
        know("network", model);
    }
    if let Some(hash) = guest.hash.clone() {
        know("sha-256", hash);
    }
    let left = guest.leave(&session);
    session.close();
    buses.keep()?;
    left?;
    let failed = match (raised, &meter) {
        (Some(what), _) => {
            // It ends what the meter does; there is nothing to see in it.
            drop(watcher.map(Watcher::finish));
            Some(Fail::Raised { what })
        }
        (None, Some(meter)) => energy(&mut run, meter, watcher).err(),
        (None, None) => None,
    };
    match failed {
        // What was measured before is in the table; a result it is not.
        Some(fail @ Fail::Raised { .. }) if output.json => Err(fail),
        // The times are good without the energy, which can be added from another file.
        Some(fail) if output.json => {
            let measured = json!({ "event": "measured", "simulated": run.simulated, "run": run });
            output.object(&measured).and(Err(fail))
        }
        Some(fail) => show(&run, args, output).and(Err(fail)),
        None => show(&run, args, output),
    }
}

/// Whether a path is one of the camera: it says so with a colon, or this computer has no such file.
fn is_on_camera(path: &str) -> bool {
    path.starts_with(':') || (path.starts_with('/') && !Path::new(path).exists())
}

/// The network that is measured, and what has to be tidied up afterwards.
#[derive(Default)]
struct Guest {
    /// Where it lies on the camera.
    path: Option<String>,
    /// What it is called here.
    name: Option<String>,
    hash: Option<String>,
    /// Whether it was only put there for this.
    borrowed: bool,
}

impl Guest {
    /// Finds a file of this computer on the camera by its content, or puts a copy there.
    fn invite(session: &Session, name: &str, bytes: &[u8], at: Option<&str>) -> Result<Self, Fail> {
        let hash = sha256(bytes);
        let roots = camera_files::roots(session)?;
        let usual = roots.iter().map(|root| format!("{}/{name}", root.path));
        let places = match at {
            Some(path) => vec![path.to_owned()],
            None => usual.chain([format!("/rom/{name}")]).collect(),
        };
        let mut guest = Self {
            path: None,
            name: Some(name.to_owned()),
            hash: Some(hash.clone()),
            borrowed: false,
        };
        for path in &places {
            if camera_files::hash(session, path)?.as_deref() == Some(&*hash) {
                guest.path = Some(path.clone());
                return Ok(guest);
            }
        }
        let need = bytes.len() as u64;
        let roomy = roots.iter().find(|root| root.free > need + SPARE);
        let free = roots.iter().map(|root| root.free).max().unwrap_or(0);
        let full = || Fail::Camera(SaveError::Refused(Refusal::Full { need, free }).into());
        let path = format!("{}/{BORROWED}", roomy.ok_or_else(full)?.path);
        camera_files::put(session, &path, bytes)?;
        guest.path = Some(path);
        guest.borrowed = true;
        Ok(guest)
    }

    /// Leaves the camera as it was found.
    fn leave(&self, session: &Session) -> Result<(), Fail> {
        match &self.path {
            Some(path) if self.borrowed => camera_files::remove(session, path),
            _ => Ok(()),
        }
    }
}

/// Adds what the meter saw.
fn energy(run: &mut Run, meter: &Meter, watcher: Option<Watcher>) -> Result<(), Fail> {
    let marks = run.marks.ok_or_else(|| Fail::Usage {
        what: "the measurement has no signature of lights in it".into(),
        help: "Measure with --power, so that the script gives one.".into(),
    })?;
    let wave = match watcher {
        Some(watcher) => watcher.finish()?,
        None => meter.samples()?,
    };
    let wave = match run.identity.contains_key(PIN) {
        true => wave.by_pin(),
        false => wave,
    };
    run.energy = Some(omv_bench::power::energy(&wave, &marks).map_err(Fail::Bench)?);
    Ok(())
}

/// The result, in every form that was asked for.
fn show(run: &Run, args: &Measure, output: &Output) -> Result<(), Fail> {
    if let Some(path) = &args.html {
        files::write(path, &omv_bench::html(run))?;
    }
    if let Some(path) = &args.svg {
        files::write(path, &omv_bench::svg(run))?;
    }
    if output.json {
        return output.result(json!({ "simulated": run.simulated, "run": run }));
    }
    if args.csv {
        for line in omv_bench::csv(run).lines() {
            output.line(&clean(line))?;
        }
        for trouble in &run.trouble {
            eprintln!("{}", clean(trouble));
        }
        return Ok(());
    }
    for line in table(run) {
        output.line(&clean(&line))?;
    }
    Ok(())
}

fn compared(before: &Path, after: &Path, output: &Output) -> Result<u8, Fail> {
    let (before, after) = (files::read(before)?, files::read(after)?);
    let found = compare(&before, &after).map_err(Fail::Bench)?;
    let worse = |one: &Comparison| matches!(one.verdict, Verdict::Slower | Verdict::Lost);
    let slower = found.iter().filter(|one| worse(one)).count();
    let exit = if slower > 0 { 12 } else { 0 };
    if output.json {
        let fields =
            json!({ "simulated": before.simulated, "slower": slower, "comparisons": found });
        output.result(fields)?;
        return Ok(exit);
    }
    let mark = if before.simulated { " (simulated)" } else { "" };
    output.line(&format!(
        "{:<24} {:<8} {:>11} {:>11} {:>8}   medians in ms{mark}",
        "", "", "before", "after", "change"
    ))?;
    for one in &found {
        let verdict = match one.verdict {
            Verdict::Same => "same",
            Verdict::Faster => "faster",
            Verdict::Slower => "SLOWER",
            Verdict::Lost => "LOST",
        };
        let line = format!(
            "{:<24} {:<8} {:>11.3} {:>11.3} {:>+7.1}%   {verdict}",
            one.cell,
            one.part,
            one.before / 1e3,
            one.after / 1e3,
            one.change * 100.0
        );
        output.line(&clean(&line))?;
    }
    output.line(&match slower {
        0 => "Nothing became slower.".to_owned(),
        count => format!("{count} became slower, by more than 2 % and more than chance."),
    })?;
    Ok(exit)
}
