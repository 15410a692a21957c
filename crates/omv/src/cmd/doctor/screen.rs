//! Facts and findings, for people and for programs.

use omv_boards::State;
use omv_camera::doctor::{Answer, Code, Facts, Finding, Severity, Sight, Visit};
use omv_link::native::health::{Access, Platform};
use serde_json::{Value, json};

use super::command;
use crate::output::{Output, clean};

/// Columns that text may fill.
const WIDTH: usize = 96;
/// Width of the first column.
const HEAD: usize = 9;

/// What is looked at, and the findings that spoil it. About a camera, then about the machine.
const CAMERA: &[(&str, &[Code])] = &[
    ("on the bus", &[Code::Silent, Code::Vanished, Code::Cycling]),
    ("answers", &[Code::NoAnswer]),
    ("right firmware", &[Code::BoardMismatch, Code::UpdateFirst]),
    (
        "bootloader",
        &[
            Code::InBootloader,
            Code::InRecovery,
            Code::WireInPlace,
            Code::LegacyBootloader,
            Code::ShortWindow,
            Code::OldBootloader,
            Code::NoRomfs,
            Code::OldArduinoBootloader,
        ],
    ),
];
/// The same, of a camera whose disk was looked at.
const DISK: &[(&str, &[Code])] = &[
    (
        "disk",
        &[
            Code::DiskFaulty,
            Code::DiskUnmountable,
            Code::FileCutShort,
            Code::FreeCountZero,
            Code::DiskDamaged,
            Code::DiskFull,
        ],
    ),
    (
        "main.py",
        &[
            Code::MainMissing,
            Code::ScriptBroken,
            Code::ModuleMissing,
            Code::FrameTooLarge,
        ],
    ),
];
const MACHINE: &[(&str, &[Code])] = &[
    ("access", &[Code::NoAccess, Code::RulesNotApplied]),
    (
        "other programs",
        &[Code::Busy, Code::ModemManager, Code::Brltty],
    ),
    ("no virtual machine", &[Code::VirtualMachine]),
];
const LINUX: &[(&str, &[Code])] = &[(
    "udev rules",
    &[Code::NoAccess, Code::RulesMissing, Code::NoUdevd],
)];
const WINDOWS: &[(&str, &[Code])] = &[(
    "drivers",
    &[
        Code::DriverMissing,
        Code::DriverRefused,
        Code::DriverForeign,
        Code::DeviceFailed,
    ],
)];

/// The screen, line by line.
pub fn lines(facts: &Facts, findings: &[Finding], output: &Output) -> Vec<String> {
    let mut lines = vec![headline(facts)];
    lines.extend(
        facts
            .cameras
            .iter()
            .map(|sight| row("camera", &camera(sight))),
    );
    let fine = fine(facts, findings);
    if !fine.is_empty() {
        lines.push(row("fine", &fine.join(", ")));
    }
    for finding in findings {
        let (word, paint) = match finding.severity {
            Severity::Problem => ("PROBLEM", "1;31"),
            Severity::Warning => ("WARNING", "1;33"),
            Severity::Hint => ("hint", "1"),
        };
        let place = finding
            .place
            .as_deref()
            .map_or(String::new(), |place| format!("{}: ", clean(place)));
        let title = clean(&finding.title);
        lines.push(format!(
            "{}{place}{title}  [{}]",
            output.paint(paint, &format!("{word:<HEAD$}")),
            finding.code
        ));
        lines.extend(wrapped("", &clean(&finding.words)));
        lines.extend(wrapped("Next: ", &clean(&finding.next)));
        lines.extend(command(facts, finding).map(|command| row("", &format!("Run:  {command}"))));
    }
    let problems = findings
        .iter()
        .filter(|one| one.severity == Severity::Problem);
    lines.push(match (problems.count(), findings.len()) {
        (0, 0) => row("result", "no problem found"),
        (0, others) => row("result", &format!("no problem, {others} to know of")),
        (1, _) => row("result", "1 problem"),
        (problems, _) => row("result", &format!("{problems} problems")),
    });
    lines
}

fn row(head: &str, text: &str) -> String {
    format!("{head:<HEAD$}{text}").trim_end().to_owned()
}

fn headline(facts: &Facts) -> String {
    let mut parts = vec![format!("omv {}", env!("CARGO_PKG_VERSION"))];
    if let Some(host) = &facts.host {
        parts.push(format!(
            "{} {}",
            host.platform.name(),
            std::env::consts::ARCH
        ));
        parts.extend(
            host.container
                .as_ref()
                .map(|name| format!("in {}", clean(name))),
        );
    }
    parts.push(format!("watched {:.1} s", facts.watched.as_secs_f64()));
    parts.join(", ")
}

fn camera(sight: &Sight) -> String {
    let label = sight.serial.as_deref().map_or("", |serial| serial);
    let state = match &sight.answer {
        Answer::Who {
            firmware: Some(version),
            ..
        } => format!("running {version}"),
        _ => format!("{} ({})", sight.state().family(), sight.state()),
    };
    let note = if sight.simulated {
        ", a virtual camera"
    } else {
        ""
    };
    let label = clean(label);
    let title = [&*sight.title(), &*label].join(" ");
    format!(
        "{} at {}: {state}{note}",
        title.trim_end(),
        clean(&sight.place)
    )
}

/// What was looked at and found in order.
fn fine(facts: &Facts, findings: &[Finding]) -> Vec<&'static str> {
    let platform = facts.host.as_ref().map(|host| host.platform);
    let mut checks: Vec<&(&str, &[Code])> = Vec::new();
    let answered = facts
        .cameras
        .iter()
        .any(|sight| matches!(sight.answer, Answer::Who { .. }));
    let running = facts
        .cameras
        .iter()
        .all(|sight| sight.state() == State::Run);
    if !facts.cameras.is_empty() {
        checks.extend(CAMERA.iter().filter(|(name, _)| match *name {
            "answers" | "right firmware" => answered && running,
            "bootloader" => !running,
            _ => true,
        }));
    }
    if facts.cameras.iter().any(|sight| sight.disk.is_some()) {
        checks.extend(DISK);
    }
    if platform.is_some() {
        checks.extend(MACHINE);
    }
    match platform {
        Some(Platform::Linux) => checks.extend(LINUX),
        Some(Platform::Windows) => checks.extend(WINDOWS),
        _ => {}
    }
    let spoilt = |codes: &[Code]| findings.iter().any(|finding| codes.contains(&finding.code));
    checks
        .into_iter()
        .filter(|(_, codes)| !spoilt(codes))
        .map(|(name, _)| *name)
        .collect()
}

/// Text in lines of [`WIDTH`], all but the first column.
fn wrapped(head: &str, text: &str) -> Vec<String> {
    let indent = " ".repeat(HEAD);
    let mut lines = Vec::new();
    let mut line = format!("{indent}{head}");
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(
                &mut line,
                format!("{indent}{}", " ".repeat(head.len())),
            ));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// All of it as one object. Fields are only ever added.
pub fn json(facts: &Facts, findings: &[Finding]) -> Value {
    let problems = findings.iter().any(|one| one.severity == Severity::Problem);
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code.name(),
                "severity": finding.severity.name(),
                "place": finding.place.as_deref().map(clean),
                "title": clean(&finding.title),
                "words": clean(&finding.words),
                "next": clean(&finding.next),
                "command": command(facts, finding),
                "source": finding.source,
            })
        })
        .collect();
    json!({
        "healthy": !problems,
        "version": env!("CARGO_PKG_VERSION"),
        "system": facts.host.as_ref().map(|host| json!({
            "name": host.platform.name(),
            "arch": std::env::consts::ARCH,
            "root": host.root,
            "hypervisor": host.hypervisor.as_deref().map(clean),
            "container": host.container.as_deref().map(clean),
            "udevd": host.udevd,
            "programs": host.programs.iter().map(|program| clean(&program.name)).collect::<Vec<_>>(),
            "pnp": host.pnp.iter().map(|device| json!({
                "usb": format!("{:04X}:{:04X}", device.vid, device.pid),
                "problem": device.code,
                "service": device.service.as_deref().map(clean),
            })).collect::<Vec<_>>(),
        })),
        "watched_millis": facts.watched.as_millis() as u64,
        "cameras": facts.cameras.iter().map(sight).collect::<Vec<_>>(),
        "visits": facts.visits.iter().map(visit).collect::<Vec<_>>(),
        "findings": findings,
    })
}

fn sight(sight: &Sight) -> Value {
    let boards: Vec<&str> = sight.boards().iter().map(|board| &*board.name).collect();
    let nodes: Vec<Value> = sight
        .nodes
        .iter()
        .map(|node| {
            let access = match node.access {
                Access::Allowed => "allowed",
                Access::Denied => "denied",
                Access::Missing => "missing",
            };
            let holders: Vec<String> = node.holders.iter().map(|text| clean(text)).collect();
            json!({ "path": clean(&node.path), "access": access, "holders": holders })
        })
        .collect();
    let (firmware, arch, error) = match &sight.answer {
        Answer::NotAsked => (None, None, None),
        Answer::Who { firmware, arch, .. } => {
            let firmware = firmware.map(|version| version.to_string());
            (firmware, arch.as_deref().map(clean), None)
        }
        Answer::Failed { code, .. } => (None, None, Some(*code)),
    };
    let alternates: Vec<String> = sight
        .alternate_names
        .iter()
        .map(|name| clean(name))
        .collect();
    json!({
        "camera": clean(sight.serial.as_deref().unwrap_or(&sight.place)),
        "serial": sight.serial.as_deref().map(clean),
        "board": sight.board().map(|board| &*board.name),
        "boards": boards,
        "state": sight.state(),
        "family": sight.state().family(),
        "place": clean(&sight.place),
        "usb": sight.usb.to_string(),
        "release": format!("{:04X}", sight.release),
        "firmware": firmware,
        "arch": arch,
        "error": error,
        "nodes": nodes,
        "alternates": sight.alternates,
        "alternate_names": alternates,
        "simulated": sight.simulated,
    })
}

fn visit(visit: &Visit) -> Value {
    json!({
        "place": clean(&visit.place),
        "usb": visit.usb.to_string(),
        "state": visit.state,
        "came_millis": visit.came.map(|time| time.as_millis() as u64),
        "left_millis": visit.left.map(|time| time.as_millis() as u64),
    })
}
