//! `omv snap` and `omv record`: pictures into files.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use omv_camera::session::{Appetite, Frames, Notice};
use serde_json::json;

use super::live::aside;
use super::seeing::{FIRST, Script, Seeing};
use crate::cli::{Common, Record, Snap};
use crate::fail::Fail;
use crate::output::{Output, size};
use crate::record::{Film, Kind, Recorded};
use crate::shot::Shot;

const LOOK: Duration = Duration::from_millis(100);
/// How often the line that says how far it is is written.
const TELL: Duration = Duration::from_millis(250);
/// Bytes of pictures that may wait for the disk.
const WAITING: usize = 256 << 20;
/// Bytes of text that may wait: why a script shows no picture is at the end of it.
const TEXT: usize = 1 << 16;

/// Runs `omv snap`.
pub fn snap(common: &Common, args: &Snap, output: &Output) -> Result<(), Fail> {
    let png = match end_of(&args.file).as_deref() {
        Some("jpg" | "jpeg") => false,
        Some("png") => true,
        _ => {
            return Err(Fail::Usage {
                what: format!("{} does not say what to write", args.file.display()),
                help: "Use a name that ends in .jpg or .png.".into(),
            });
        }
    };
    let script = Script::read(args.script.as_deref())?;
    let appetite = Appetite::default();
    let mut seeing = Seeing::open(common, "omv snap", script.as_ref(), appetite, output)?;
    let shot = whole_shot(&mut seeing);
    let closed = seeing.close(output);
    let shot = shot?;
    let bytes = match png {
        true => as_png(&shot).map_err(|error| Fail::file(&args.file, "writing", error))?,
        false => shot.jpeg().unwrap_or_default().to_vec(),
    };
    fs::write(&args.file, &bytes).map_err(|error| Fail::file(&args.file, "writing", error))?;
    closed?;
    let (width, height, length) = (shot.width, shot.height, bytes.len());
    if output.json {
        let file = args.file.display().to_string();
        return output
            .result(json!({ "file": file, "width": width, "height": height, "bytes": length }));
    }
    output.line(&format!(
        "{}: {width} x {height}, {}",
        args.file.display(),
        size(length as u64)
    ))
}

/// The next picture that decodes.
fn whole_shot(seeing: &mut Seeing) -> Result<Shot, Fail> {
    let until = seeing.live.session.now() + FIRST;
    while seeing.live.session.now() < until && !seeing.live.bench.stop.asked() {
        match seeing.next(LOOK)? {
            Some(Notice::Frame(frame)) => {
                let shot = Shot::new(frame);
                if shot.rgb().is_some() && shot.jpeg().is_some() {
                    return Ok(shot);
                }
            }
            Some(Notice::Closed) => break,
            _ => {}
        }
    }
    Err(seeing.nothing())
}

fn end_of(path: &Path) -> Option<String> {
    Some(path.extension()?.to_string_lossy().to_lowercase())
}

fn as_png(shot: &Shot) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, shot.width, shot.height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(shot.rgb().unwrap_or_default())?;
    writer.finish()?;
    Ok(bytes)
}

/// Runs `omv record`.
pub fn record(common: &Common, args: &Record, output: &Output) -> Result<(), Fail> {
    // What cannot be recorded is refused before a camera is touched.
    Kind::of(&args.file)?;
    let script = Script::read(args.script.as_deref())?;
    let appetite = Appetite {
        frames: Frames::All { bytes: WAITING },
        text: TEXT,
    };
    let mut seeing = Seeing::open(common, "omv record", script.as_ref(), appetite, output)?;
    let recorded = film(&mut seeing, args, output);
    let dropped = seeing.dropped();
    let closed = seeing.close(output);
    let recorded = recorded?;
    closed?;
    let files: Vec<_> = recorded
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let seconds = recorded.span.as_secs_f64();
    if output.json {
        return output.result(json!({
            "files": files, "frames": recorded.frames, "seconds": seconds, "bytes": recorded.bytes,
            "dropped": dropped, "corrupt": recorded.broken,
        }));
    }
    let lost = match dropped + recorded.broken {
        0 => String::new(),
        _ => format!(
            "; {dropped} dropped because the disk is slow, {} damaged",
            recorded.broken
        ),
    };
    let pictures = match recorded.frames {
        1 => "1 picture".to_owned(),
        more => format!("{more} pictures"),
    };
    output.line(&format!(
        "{}: {pictures} in {seconds:.1} s, {}{lost}",
        files.first().map_or("", String::as_str),
        size(recorded.written)
    ))
}

/// Records until there is enough, or nothing more comes.
fn film(seeing: &mut Seeing, args: &Record, output: &Output) -> Result<Recorded, Fail> {
    let mut film = Film::create(&args.file)?;
    let failed = roll(seeing, &mut film, args, output).err();
    if output.is_live() {
        eprintln!();
    }
    // The film first: whatever the camera does now, it is whole.
    let recorded = film.finish()?;
    match failed {
        Some(fail) => Err(fail),
        None if recorded.frames == 0 => Err(seeing.nothing()),
        None => Ok(recorded),
    }
}

fn roll(seeing: &mut Seeing, film: &mut Film, args: &Record, output: &Output) -> Result<(), Fail> {
    let (mut told, mut last) = (Instant::now(), Instant::now());
    let pace = seeing.live.bench.pace();
    loop {
        pace.keep();
        let enough = args.frames.is_some_and(|frames| film.frames() >= frames)
            || args
                .seconds
                .is_some_and(|seconds| film.span().as_secs_f64() >= seconds);
        if enough || seeing.live.bench.stop.asked() {
            return Ok(());
        }
        match seeing.next(LOOK)? {
            Some(Notice::Frame(frame)) => {
                let at = frame.at;
                film.add(&Shot::new(frame), at)?;
                last = Instant::now();
            }
            Some(Notice::Closed) => return Ok(()),
            Some(Notice::Ended(_)) if film.frames() > 0 && args.script.is_some() => return Ok(()),
            Some(other) => aside(output, &other)?,
            None if last.elapsed() > FIRST => return Ok(()),
            None => {}
        }
        if output.is_live() && told.elapsed() > TELL {
            told = Instant::now();
            eprint!(
                "\r{} pictures, {:.1} s ",
                film.frames(),
                film.span().as_secs_f64()
            );
            let _ = std::io::stderr().flush();
        }
    }
}
