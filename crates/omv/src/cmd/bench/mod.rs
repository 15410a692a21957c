//! `omv bench`: how long pictures and predictions take on a camera, and what they cost.

mod files;
mod meter;

use std::path::Path;
use std::time::Duration;

use omv_bench::{Comparison, Reader, Run, Size, Verdict, Window, Wish, compare, script, table};
use omv_camera::session::{Ended, Limits, Options, Session};
use omv_plan::{model::suit, sha256};
use serde_json::json;

use self::meter::{Meter, Watcher};
use crate::bench::Bench as Buses;
use crate::cli::{Bench, BenchCommand, Common, Measure};
use crate::fail::Fail;
use crate::files as sources;
use crate::output::{Output, clean};
use crate::signals::stop_on_interrupt;

/// The longest a measurement may take.
const LONGEST: Duration = Duration::from_secs(3600);
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
    let (model, hash) = match args.model.as_deref() {
        None => (None, None),
        // A path on the camera; its content is the camera's to judge.
        Some(path) if path.starts_with('/') => (Some(path.to_owned()), None),
        Some(path) => {
            let bytes = sources::read(Path::new(path))?;
            let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
            let suit = suit(name, &bytes, looked.board, firmware.parse().ok())?;
            if let Some(refusal) = suit.refusal() {
                return Err(refusal.clone().into());
            }
            let at = args.at.clone().unwrap_or_else(|| format!("/sdcard/{name}"));
            (Some(at), Some(sha256(&bytes)))
        }
    };
    let watcher = meter.as_ref().map(Meter::watch).transpose()?.flatten();
    let rate = watcher.as_ref().map_or(1000.0, Watcher::rate);
    let wish = Wish {
        model: model.clone(),
        sizes,
        pixels: args
            .pixformat
            .iter()
            .map(|name| name.to_ascii_uppercase())
            .collect(),
        frames: args.frames,
        warm: args.warmup,
        power: meter.is_some().then(|| Window::for_rate(rate)),
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
    know("host", format!("omv {}", env!("CARGO_PKG_VERSION")));
    if let Some(model) = model {
        know("network", model);
    }
    if let Some(hash) = hash {
        know("sha-256", hash);
    }
    session.close();
    buses.keep()?;
    if let Some(meter) = &meter {
        energy(&mut run, meter, watcher)?;
    }
    match raised {
        // What was measured before is in the table; a result it is not.
        Some(what) if output.json => Err(Fail::Raised { what }),
        Some(what) => show(&run, args, output).and(Err(Fail::Raised { what })),
        None => show(&run, args, output),
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
