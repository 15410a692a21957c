//! `omv disk test`: is a card what it says it is?

use std::cell::RefCell;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use omv_camera::disk::{Blocks, Defect, Mode, Progress, Report, Times, test};
use serde_json::{Value, json};

use super::WRONG;
use super::args::{Test, TestMode};
use super::device::Access;
use super::opened::CAMERA;
use crate::cli::Common;
use crate::cmd::files::args::Place;
use crate::cmd::files::door::{self, FileBlocks};
use crate::fail::Fail;
use crate::output::{Output, size};

/// Runs the command.
pub fn run(common: &Common, args: &Test, output: &Output) -> Result<u8, Fail> {
    let mode = match args.mode {
        TestMode::Quick => Mode::Quick,
        TestMode::Capacity => Mode::Capacity,
        TestMode::Full => Mode::Full,
    };
    if mode == Mode::Full && !args.erase {
        return Err(Fail::NeedsHands {
            question: "a full test overwrites everything on the disk; go on?".into(),
            command: "omv disk test --mode full --erase".into(),
        });
    }
    let named = args.disk.as_deref();
    let (mut blocks, title): (Box<dyn Blocks>, String) = match named {
        Some(path) if path != Path::new(CAMERA) => {
            let blocks = FileBlocks::open(path, Access::Write)?;
            (Box::new(blocks), path.display().to_string())
        }
        _ => {
            let place = Place { disk: None };
            let door = door::open(common, &place, true, "omv disk test")?;
            (door.blocks, door.title)
        }
    };
    let report = {
        let live = output.is_live();
        let last = RefCell::new(("", 101));
        let mut tell = |progress: Progress| {
            let percent = progress.done * 100 / progress.total.max(1);
            if live && *last.borrow() != (progress.doing, percent) {
                eprint!("\r\x1b[K{} {percent} %", progress.doing);
                *last.borrow_mut() = (progress.doing, percent);
            }
        };
        let report = test(&mut *blocks, mode, key(), &mut tell);
        if live {
            eprint!("\r\x1b[K");
        }
        report.map_err(omv_camera::files::SaveError::Disk)?
    };
    let fine = report.findings.is_empty();
    match output.json {
        true => output.result(as_json(&title, &report))?,
        false => print(&title, &report, output)?,
    }
    let wrong = report.findings.iter().any(|one| one.defect != Defect::Slow);
    Ok(if fine || !wrong { 0 } else { WRONG })
}

/// A number that no run before had.
fn key() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.unwrap_or_default().as_nanos() as u64;
    nanos ^ u64::from(std::process::id()).rotate_left(40)
}

fn as_json(title: &str, report: &Report) -> Value {
    let times = |times: Option<Times>| {
        times.map(|times| {
            json!({
                "bytes_per_second": times.rate,
                "median_micros": times.median.as_micros() as u64,
                "p99_micros": times.p99.as_micros() as u64,
                "worst_micros": times.worst.as_micros() as u64,
            })
        })
    };
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            let ranges = finding.ranges.iter();
            let ranges: Vec<_> = ranges.map(|range| [range.first, range.count]).collect();
            json!({
                "code": finding.defect.code(), "blocks": finding.blocks, "ranges": ranges,
                "what": finding.defect.title(), "help": finding.defect.help(),
            })
        })
        .collect();
    let block = u64::from(report.block_size);
    json!({
        "disk": title, "verdict": report.verdict().map_or("good", Defect::code),
        "claimed_bytes": report.claimed * block, "bytes": report.size * block,
        "block_size": block, "blocks_looked_at": report.looked_at.min(report.claimed), "findings": findings,
        "read": times(report.speed.read), "write": times(report.speed.write),
        "restored": report.restored,
    })
}

fn print(title: &str, report: &Report, output: &Output) -> Result<(), Fail> {
    let block = u64::from(report.block_size);
    let share = (report.looked_at * 100 / report.claimed.max(1)).min(100);
    output.line(&format!(
        "{title}: {}, {share} % of its blocks looked at",
        size(report.size * block)
    ))?;
    if report.size != report.claimed {
        let claimed = size(report.claimed * block);
        output.line(&format!("  it claims to have {claimed}"))?;
    }
    for (what, times) in [("read", report.speed.read), ("write", report.speed.write)] {
        if let Some(times) = times {
            output.line(&format!(
                "  {what:<5} {}/s; half within {:?}, 99 % within {:?}, the worst {:?}",
                size(times.rate),
                times.median,
                times.p99,
                times.worst
            ))?;
        }
    }
    for finding in &report.findings {
        let code = output.paint("1;31", finding.defect.code());
        output.line(&format!("{code}: {}", finding.defect.title()))?;
        for range in finding.ranges.iter().take(8) {
            let end = range.first + range.count - 1;
            output.line(&format!("  blocks {} to {end}", range.first))?;
        }
        if finding.ranges.len() > 8 {
            output.line(&format!("  and more, {} blocks in all", finding.blocks))?;
        }
        output.line(&format!("  {}", finding.defect.help()))?;
    }
    match (report.findings.is_empty(), report.mode) {
        (true, Mode::Full) => output.line(&output.paint("32", "Nothing is wrong with it.")),
        (true, _) => output.line(&output.paint("32", "Nothing was found to be wrong with it.")),
        _ => Ok(()),
    }
}
