//! `omv info`: the same kind of report about a camera and about a file.

use std::path::Path;
use std::time::Duration;

use omv_boards::{Board, State, sensor};
use omv_camera::session::{self, Options, Session, Statistics};
use omv_camera::{Generation, Looked, uid_text};
use omv_plan::{Contents, Image, Severity, check, inspect, sha256};
use omv_wire::v2::records::Memory;
use serde::Serialize;
use serde_json::{Value, json};

use super::work;
use crate::bench::Bench;
use crate::cli::{Common, Info};
use crate::fail::Fail;
use crate::files;
use crate::output::{Output, clean, size};
use crate::signals::stop_on_interrupt;

/// What is known about one file.
#[derive(Serialize)]
struct FileReport {
    file: String,
    bytes: u64,
    sha256: String,
    #[serde(flatten)]
    contents: Contents,
    /// For which board it was checked.
    board: Option<String>,
    region: Option<String>,
    room: Option<u64>,
    fits: Option<bool>,
    /// Whether it could be written without being forced.
    usable: Option<bool>,
    findings: Vec<String>,
}

/// Runs the command.
pub fn run(common: &Common, args: &Info, output: &Output) -> Result<(), Fail> {
    let board = work::board(args.board.as_deref())?;
    match &args.file {
        Some(file) => about_file(file, board, output),
        None => {
            let bench = Bench::new(common, "omv info", stop_on_interrupt())?;
            let looked = bench.camera(board, Duration::ZERO, &mut |_| {})?;
            let told = about_camera(&looked, output);
            bench.keep()?;
            told
        }
    }
}

/// What running firmware tells to those who stay a moment longer.
struct Running {
    info: session::Info,
    memory: Vec<Memory>,
    statistics: Option<Statistics>,
}

impl Running {
    /// Asks; a camera that does not answer is not less known for that.
    fn ask(looked: &Looked) -> Option<Self> {
        if looked.state != State::Run {
            return None;
        }
        let session = Session::open(looked, Options::default()).ok()?;
        let running = Self {
            info: session.info(),
            memory: session.memory().unwrap_or_default(),
            statistics: session.statistics().ok(),
        };
        session.close();
        Some(running)
    }

    fn json(&self) -> Value {
        let camera = self.statistics.and_then(|statistics| statistics.camera);
        json!({
            "sensors": self.info.sensors.iter().map(|id| json!({ "id": id, "name": sensor(*id) })).collect::<Vec<_>>(),
            "memory": self.memory.iter().map(|pool| json!({
                "kind": kind(pool), "total": pool.total, "used": pool.used, "free": pool.free,
            })).collect::<Vec<_>>(),
            "channels": self.info.channels.iter().map(|channel| clean(&channel.name)).collect::<Vec<_>>(),
            "caps": self.info.caps.map(|caps| json!({
                "crc": caps.crc, "seq": caps.seq, "ack": caps.ack, "events": caps.events, "max_payload": caps.max_payload,
            })),
            "statistics": camera.map(|counted| json!({
                "sent": counted.sent, "received": counted.received, "events": counted.events,
                "checksum_errors": counted.checksum_errors, "sequence_errors": counted.sequence_errors,
                "retransmissions": counted.retransmissions, "transport_errors": counted.transport_errors,
            })),
        })
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        for id in &self.info.sensors {
            rows.push((
                "sensor",
                sensor(*id).map_or_else(|| format!("unknown, id {id:X}"), str::to_owned),
            ));
        }
        for pool in &self.memory {
            let (used, total) = (size(pool.used.into()), size(pool.total.into()));
            rows.push((
                "memory",
                format!("{}: {used} of {total} in use", kind(pool)),
            ));
        }
        if let Some(caps) = self.info.caps {
            rows.push((
                "packets",
                format!(
                    "up to {} bytes{}",
                    caps.max_payload,
                    if caps.crc { ", with checksums" } else { "" }
                ),
            ));
        }
        if let Some(counted) = self.statistics.and_then(|statistics| statistics.camera) {
            let errors =
                counted.checksum_errors + counted.sequence_errors + counted.transport_errors;
            rows.push((
                "since boot",
                format!(
                    "{} packets received, {} sent, {errors} errors, {} repeated",
                    counted.received, counted.sent, counted.retransmissions
                ),
            ));
        }
        rows
    }
}

fn kind(pool: &Memory) -> &'static str {
    match pool.kind {
        0 => "heap",
        _ => "pictures",
    }
}

fn about_camera(looked: &Looked, output: &Output) -> Result<(), Fail> {
    let running = Running::ask(looked);
    let board = looked.board;
    let seen = &looked.found.seen;
    let who = looked.who.as_ref();
    let uid = who.and_then(|who| who.uid).map(uid_text);
    let protocol = who.map(|who| match who.generation {
        Generation::V1 => "v1",
        Generation::V2 => "v2",
    });
    let regions = board
        .layout()
        .map(|layout| &layout.regions[..])
        .unwrap_or_default();
    if output.json {
        let regions: Vec<_> = regions
            .iter()
            .map(|r| json!({ "name": r.name, "role": r.role, "start": r.start, "bytes": r.size }))
            .collect();
        return output.result(json!({
            "camera": looked.found.label(),
            "board": board.name,
            "title": board.title,
            "state": looked.state,
            "family": looked.state.family(),
            "firmware": looked.firmware(),
            "protocol": protocol,
            "arch": who.and_then(|who| who.arch.as_deref().map(clean)),
            "uid": uid,
            "place": seen.place.to_string(),
            "usb": format!("{:04X}:{:04X}", seen.vid, seen.pid),
            "simulated": seen.simulated,
            "regions": regions,
            "running": running.as_ref().map(Running::json),
        }));
    }
    let mut rows = vec![
        ("board", format!("{} ({})", board.title, board.name)),
        (
            "state",
            format!("{} ({})", looked.state.family().name(), looked.state),
        ),
    ];
    rows.extend(looked.firmware().map(|version| ("firmware", version)));
    rows.extend(protocol.map(|protocol| ("protocol", protocol.to_owned())));
    rows.extend(uid.map(|uid| ("unique id", uid)));
    rows.extend(
        seen.serial
            .as_deref()
            .map(|serial| ("serial", clean(serial))),
    );
    rows.push(("where", seen.place.to_string()));
    rows.push(("usb id", format!("{:04X}:{:04X}", seen.vid, seen.pid)));
    rows.extend(running.iter().flat_map(Running::rows));
    if seen.simulated {
        rows.push(("note", "a virtual camera".to_owned()));
    }
    print(&rows, output)?;
    for (index, region) in regions.iter().enumerate() {
        let head = if index == 0 { "regions" } else { "" };
        let (start, end) = (region.start, region.end());
        let line = format!(
            "{:<10} {start:08X}-{end:08X}  {}",
            region.name,
            size(region.size.into())
        );
        print(&[(head, line)], output)?;
    }
    for advice in board.advice(looked.state) {
        print(&[("advice", advice.to_owned())], output)?;
    }
    Ok(())
}

fn about_file(path: &Path, board: Option<&'static Board>, output: &Output) -> Result<(), Fail> {
    let reports = match board {
        Some(board) => {
            let images = files::images(board, path, None)?;
            images
                .iter()
                .map(|image| report(image, Some(board)))
                .collect()
        }
        None => any_board(path)?,
    };
    if output.json {
        return output.result(json!({ "files": reports }));
    }
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            output.line("")?;
        }
        print_report(report, output)?;
    }
    Ok(())
}

/// A file that says itself what it is, or every board's files of an archive.
fn any_board(path: &Path) -> Result<Vec<FileReport>, Fail> {
    let mut source = files::open(path)?;
    let names = source.names();
    let mut reports = Vec::new();
    for board in omv_boards::all() {
        let own = names
            .iter()
            .any(|name| name.split('/').any(|part| part == board.name));
        if own && (path.is_dir() || names.len() > 1) {
            let images = files::images(board, path, None)?;
            reports.extend(images.iter().map(|image| report(image, Some(board))));
        }
    }
    if !reports.is_empty() {
        return Ok(reports);
    }
    for name in names.iter().take(16) {
        let bytes = source.read(name, 64 << 20)?;
        let contents = inspect(&bytes);
        let board = contents
            .boards
            .first()
            .and_then(|name| omv_boards::by_name(name));
        let rule = contents.kind.as_deref().and_then(|kind| board?.image(kind));
        let region = board.and_then(|board| {
            rule.map_or_else(
                || board.region("firmware"),
                |rule| board.region(&rule.region),
            )
        });
        let image = Image {
            file: name.clone(),
            region: region.map_or_else(String::new, |region| region.name.clone()),
            start: region.map_or(0, |region| region.start),
            bytes: bytes.into(),
        };
        reports.push(report(&image, board));
    }
    Ok(reports)
}

fn report(image: &Image, board: Option<&Board>) -> FileReport {
    let region = board.and_then(|board| board.region(&image.region));
    let room = region.map(|region| u64::from(region.size));
    let found = match (board, room) {
        (Some(board), Some(room)) => check(board, image, room),
        _ => Vec::new(),
    };
    FileReport {
        file: image.file.clone(),
        bytes: image.bytes.len() as u64,
        sha256: sha256(&image.bytes),
        contents: inspect(&image.bytes),
        board: board.map(|board| board.name.clone()),
        region: region.map(|region| region.name.clone()),
        room,
        fits: room.map(|room| image.bytes.len() as u64 <= room),
        usable: room.map(|_| found.iter().all(|f| f.severity == Severity::Warning)),
        findings: found
            .iter()
            .map(|finding| finding.refusal.to_string())
            .collect(),
    }
}

fn print_report(report: &FileReport, output: &Output) -> Result<(), Fail> {
    let mut rows = vec![
        ("file", clean(&report.file)),
        (
            "size",
            format!("{} ({} bytes)", size(report.bytes), report.bytes),
        ),
        ("sha-256", report.sha256.clone()),
    ];
    let boards = &report.contents.boards;
    let says = if boards.is_empty() {
        "not said".to_owned()
    } else {
        boards.join(", ")
    };
    rows.push(("board", says));
    rows.extend(
        report
            .contents
            .version
            .clone()
            .map(|version| ("firmware", version)),
    );
    rows.extend(
        report
            .contents
            .kind
            .clone()
            .map(|kind| ("looks like", kind)),
    );
    if let (Some(region), Some(room)) = (&report.region, report.room) {
        let fits = if report.fits == Some(true) {
            "fits"
        } else {
            "does NOT fit"
        };
        rows.push(("region", format!("{region}: {fits} into {}", size(room))));
    }
    rows.extend(
        report
            .findings
            .iter()
            .map(|finding| ("finding", clean(finding))),
    );
    let verdict = match report.usable {
        Some(true) => "can be flashed",
        Some(false) => "would be refused",
        None => "not known for which board it is",
    };
    rows.push(("verdict", verdict.to_owned()));
    print(&rows, output)
}

fn print(rows: &[(&str, String)], output: &Output) -> Result<(), Fail> {
    for (name, value) in rows {
        output.line(&format!("{name:<11}{value}"))?;
    }
    Ok(())
}
