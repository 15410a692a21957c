//! Why does it not start? Rules about the disk that a camera starts from, and the scripts on it.

use omv_boards::Version;
use omv_fat::Kind;
use omv_python::{
    Firmware, Rule, Severity as Grade, check_imports, check_names, decode, lint, tokenize,
};

use super::disk::Disk;
use super::facts::{Answer, Facts, Sight};
use super::{Code, Finding, Remedy, Severity, frames, releases};

/// Bytes below which a disk counts as full: a log or a picture more and it is.
const LITTLE: u64 = 16 << 10;
/// Times running firmware has to appear within one watch to count as restarting.
const TIMES: usize = 3;

fn finding(sight: &Sight, code: Code, severity: Severity, title: String) -> Finding {
    Finding {
        code,
        severity,
        place: Some(sight.place.clone()),
        title,
        words: String::new(),
        next: String::new(),
        remedy: None,
        source: "OpenMV scripts/libraries/_boot.py",
    }
}

/// Cameras whose disk was looked at.
fn disks(facts: &Facts) -> impl Iterator<Item = (&Sight, &Disk)> {
    let cameras = facts.cameras.iter();
    cameras.filter_map(|sight| Some((sight, sight.disk.as_ref()?)))
}

fn release(sight: &Sight) -> Option<Version> {
    match &sight.answer {
        Answer::Who { firmware, .. } => *firmware,
        _ => None,
    }
}

fn name(disk: &Disk) -> &'static str {
    if disk.card { "card" } else { "internal disk" }
}

/// The card gives back other data, or none.
pub(super) fn faulty(facts: &Facts) -> Vec<Finding> {
    let sick = disks(facts).filter(|(_, disk)| !disk.unstable.is_empty());
    sick.map(|(sight, disk)| {
        let first = disk.unstable.first().copied().unwrap_or(0);
        let count = disk.unstable.len();
        let what = name(disk);
        Finding {
            words: format!("{count} of the blocks that were read twice gave something else the second time, or nothing. The firmware of some cameras hides a card's errors, so that a computer sees none: a script then runs from the editor and fails from the card."),
            next: format!("Copy the files off the {what}, test it in the camera and in a reader of the computer, and use another card if it is the card."),
            remedy: Some(Remedy::TestDisk),
            source: "forum 9124; openmv#2940",
            ..finding(sight, Code::DiskFaulty, Severity::Problem, format!("the {what} gives back other data than it holds, first at block {first}"))
        }
    })
    .collect()
}

/// The camera cannot mount it.
pub(super) fn unmountable(facts: &Facts) -> Vec<Finding> {
    let bad = disks(facts).filter(|(_, disk)| !disk.mountable);
    bad.map(|(sight, disk)| {
        let why = disk.worst().map_or_else(String::new, |one| format!(" ({})", one.kind.about().title));
        let what = name(disk);
        Finding {
            words: match disk.card {
                true => "The camera behaves as if there were no card, and a computer may still read it.".into(),
                false => "The camera formats its internal disk at the next start, without a question: everything on it is lost then.".into(),
            },
            next: "Do not reset the camera. Copy out what can be read first, then repair the disk or format it.".into(),
            remedy: Some(Remedy::Rescue),
            ..finding(sight, Code::DiskUnmountable, Severity::Problem, format!("the camera cannot mount its {what}{why}"))
        }
    })
    .collect()
}

/// Files cut short and other damage.
pub(super) fn damaged(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (sight, disk) in disks(facts).filter(|(_, disk)| disk.mountable) {
        let short = [
            Kind::ChainShort,
            Kind::ChainFree,
            Kind::ChainOutside,
            Kind::ChainLoop,
            Kind::StartBad,
        ];
        for damage in disk.damage.iter().filter(|one| short.contains(&one.kind)) {
            let path = damage.path.as_deref().unwrap_or("a file");
            let starts = matches!(path.trim_matches('/'), "main.py" | "boot.py");
            findings.push(Finding {
                words: format!(
                    "{}: {}. The rest of it may still lie on the disk.",
                    damage.kind.about().title,
                    damage.detail
                ),
                next:
                    "Repair the disk: that links again what can be linked. Or save the file anew."
                        .into(),
                remedy: Some(Remedy::RepairDisk),
                ..finding(
                    sight,
                    Code::FileCutShort,
                    if starts {
                        Severity::Problem
                    } else {
                        Severity::Warning
                    },
                    format!("{path} is not whole"),
                )
            });
        }
        if disk.has(Kind::InfoFreeZero) {
            findings.push(Finding {
                words: "The card says that it has no free room although it has, and the camera believes that: every write fails with ENOSPC, while a computer shows room.".into(),
                next: "Repair the disk: the true count is written.".into(),
                remedy: Some(Remedy::RepairDisk),
                source: "micropython lib/oofatfs ff.c",
                ..finding(sight, Code::FreeCountZero, Severity::Problem, "the camera takes the disk for full, and it is not".into())
            });
        }
        let told = |kind: Kind| short.contains(&kind) || kind == Kind::InfoFreeZero;
        let worse = disk.damage.iter().filter(|one| !told(one.kind));
        let worse = worse.filter(|one| one.kind.about().severity > omv_fat::Severity::Note);
        let worst = worse.clone().max_by_key(|one| one.kind.about().severity);
        if let Some(worst) = worst {
            findings.push(Finding {
                words: format!("{}; the camera {}. In all {} such things were found.", worst.detail, worst.kind.about().camera, worse.count()),
                next: "Check the disk to see all of it, and repair it: the plan is shown before anything is written.".into(),
                remedy: Some(Remedy::RepairDisk),
                ..finding(sight, Code::DiskDamaged, Severity::Warning, format!("the disk is damaged: {}", worst.kind.about().title))
            });
        }
        if disk.has(Kind::Dirty) {
            findings.push(Finding {
                words: "A computer lost the disk while it was in use. The camera does not know this mark and never clears it; that a computer offers to scan the disk is no defect of the camera.".into(),
                next: "Eject the disk before the camera is unplugged or reset; a repair clears the mark.".into(),
                source: "forum 11388",
                ..finding(sight, Code::DiskDirty, Severity::Hint, "the disk was not ejected by a computer".into())
            });
        }
        if disk.free < LITTLE || disk.has(Kind::Full) || disk.has(Kind::RootFull) {
            findings.push(Finding {
                words: "A script that writes files fails, and a save may not find room.".into(),
                next: "Remove files that are not needed.".into(),
                ..finding(
                    sight,
                    Code::DiskFull,
                    Severity::Warning,
                    format!("the disk is full: {} bytes are free", disk.free),
                )
            });
        }
        for leftover in &disk.leftovers {
            findings.push(Finding {
                words: format!("{leftover} is what the camera had written when it was cut. It is complete if its hash, which is part of its name, is right."),
                next: "Any command that works on the disk's files finishes it; so does the next save.".into(),
                remedy: Some(Remedy::ListFiles),
                ..finding(sight, Code::SaveUnfinished, Severity::Warning, "a save was interrupted".into())
            });
        }
    }
    findings
}

/// No `main.py` where the camera looks.
pub(super) fn missing(facts: &Facts) -> Vec<Finding> {
    let without = disks(facts).filter(|(_, disk)| disk.mountable && disk.main.is_none());
    without
        .map(|(sight, disk)| {
            let alike = disk.files.iter().filter(|path| {
                let lower = path.to_lowercase();
                let last = lower.rsplit('/').next().unwrap_or_default();
                matches!(last, "main.py" | "main.py.txt" | "._main.py")
            });
            let alike: Vec<&str> = alike.map(String::as_str).collect();
            let other = match disk.card {
                true => " While a card is in, the internal disk's main.py does not run.",
                false => "",
            };
            let found = match alike.is_empty() {
                true => String::new(),
                false => format!(" What is there and does not count: {}.", alike.join(", ")),
            };
            Finding {
                words: format!("The camera runs the file main.py in the root of the disk it starts from, here its {}.{found}{other}", name(disk)),
                next: "Save the script as main.py.".into(),
                ..finding(sight, Code::MainMissing, Severity::Warning, "there is no main.py where the camera looks".into())
            }
        })
        .collect()
}

/// Mistakes in what the camera starts.
pub(super) fn broken(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (sight, disk) in disks(facts) {
        for (file, content) in [("boot.py", &disk.boot), ("main.py", &disk.main)] {
            let Some(content) = content else {
                continue;
            };
            let report = lint(content);
            let mut errors = report.findings.iter();
            if let Some(first) = errors.find(|one| one.severity() == Grade::Error) {
                findings.push(Finding {
                    words: format!("Line {first}. {}", first.rule.help()),
                    next: format!("Correct {file} and save it again."),
                    source: "MicroPython's grammar",
                    ..finding(
                        sight,
                        Code::ScriptBroken,
                        Severity::Problem,
                        format!("{file} has a mistake and does not start"),
                    )
                });
            } else {
                findings.extend(lacking(sight, disk, file, content));
            }
        }
    }
    findings
}

/// Modules and names that this firmware lacks.
fn lacking(sight: &Sight, disk: &Disk, file: &str, content: &[u8]) -> Vec<Finding> {
    let (Some(text), _) = decode(content) else {
        return Vec::new();
    };
    let version = release(sight);
    let firmware = Firmware {
        version: version.map(|it| [it.major, it.minor, it.patch]),
        board: sight.board().map(|board| &*board.name),
    };
    let (tokens, _) = tokenize(text);
    let beside = |module: &str| {
        disk.files.iter().any(|path| {
            let path = path.strip_prefix("lib/").unwrap_or(path);
            let rest = path.strip_prefix(module).unwrap_or_default();
            rest.starts_with('/') || rest == ".py" || rest == ".mpy"
        })
    };
    let imports = omv_python::imports(text, &tokens);
    let mut found = check_imports(&imports, &firmware, &beside);
    found.extend(check_names(text, &tokens, &firmware));
    found
        .into_iter()
        .filter(|one| !one.guarded)
        .map(|one| {
            let sure = one.rule == Rule::ModuleMissing;
            Finding {
                words: format!("{file}, line {one}."),
                next: one.rule.help().into(),
                source: "tags of openmv/openmv",
                ..finding(
                    sight,
                    Code::ModuleMissing,
                    if sure {
                        Severity::Problem
                    } else {
                        Severity::Warning
                    },
                    format!("{file} uses what this firmware may not have"),
                )
            }
        })
        .collect()
}

/// Releases with a known fault.
pub(super) fn known_faults(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (sight, disk) in disks(facts) {
        let (Some(version), Some(board)) = (release(sight), sight.board()) else {
            continue;
        };
        for fault in releases::faults(version, &board.name) {
            let imports = |module: &str| {
                let main = disk.main.as_deref().map(lint).unwrap_or_default();
                main.imports.iter().any(|import| import.root() == module)
            };
            if fault
                .needs
                .as_deref()
                .is_some_and(|module| !imports(module))
            {
                continue;
            }
            findings.push(Finding {
                words: fault.words.clone(),
                next: fault.cure.clone(),
                remedy: Some(Remedy::Flash),
                source: &fault.source,
                ..finding(
                    sight,
                    Code::KnownFault,
                    Severity::Warning,
                    format!("firmware {version}: {}", fault.title),
                )
            });
        }
    }
    findings
}

/// Frames that do not fit.
pub(super) fn frames(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (sight, disk) in disks(facts) {
        let text = disk.main.as_deref().and_then(|main| decode(main).0);
        let Some(wanted) = text.and_then(frames::wanted) else {
            continue;
        };
        let Some(room) = room(sight) else {
            continue;
        };
        let (size, format) = (&wanted.size, &wanted.format);
        let need = wanted.bytes * wanted.buffers.unwrap_or(1);
        let source = "OpenMV boards/*/board_config.h; documentation of sensor.set_framebuffers";
        if need > room {
            let count = wanted.buffers.filter(|count| *count > 1);
            let count = count.map_or_else(String::new, |count| format!("{count} frames of "));
            findings.push(Finding {
                words: format!(
                    "{count}{size} in {format} take {} KiB; this board has {} KiB for frames.",
                    need >> 10,
                    room >> 10
                ),
                next: "Take a smaller size, GRAYSCALE in place of RGB565, or fewer buffers.".into(),
                source,
                ..finding(
                    sight,
                    Code::FrameTooLarge,
                    Severity::Problem,
                    format!("{size} in {format} does not fit into this board's memory"),
                )
            });
        } else if let Some(how) = one_buffer(&wanted, room, release(sight)) {
            findings.push(Finding {
                words: format!("{how} of the {} KiB for frames. With one, the sensor waits while the script works: about half the frames are lost.", room >> 10),
                next: "That is no fault. Take a smaller size for more frames a second, or ask for two buffers if the script needs little memory besides.".into(),
                source: "OpenMV framebuffer.c, sensor_utils.c and omv_csi.c of 4.5.4 to 5.0.0",
                ..finding(sight, Code::SingleBuffer, Severity::Hint, format!("{size} in {format} leaves room for one frame buffer"))
            });
        }
    }
    findings
}

/// How firmware that chooses by itself comes to one buffer; none if it takes more.
fn one_buffer(
    wanted: &frames::Wanted,
    room: u64,
    release: Option<Version>,
) -> Option<&'static str> {
    /// From here on it takes as many as there is room for, and counts two bytes a pixel in every format.
    const COUNTS: Version = Version {
        major: 4,
        minor: 5,
        patch: 9,
    };
    let (need, most, how) = match release? < COUNTS {
        true => (
            wanted.bytes * 2,
            room / 2,
            "The firmware takes two or three buffers only if they fit into half",
        ),
        false => (
            wanted.pixels * 4,
            room,
            "The firmware takes two or three buffers, of two bytes a pixel in every format, only if there is room in all",
        ),
    };
    (wanted.buffers.is_none() && need > most).then_some(how)
}

/// Most bytes this board has for frames, where that is known.
fn room(sight: &Sight) -> Option<u64> {
    let ml = sight.board()?.ml_at(release(sight))?;
    let pools = ml.pools.iter();
    pools
        .map(|pool| pool.size.saturating_sub(pool.sure.unwrap_or(0)))
        .max()
}

/// The firmware starts again and again.
pub(super) fn restarting(facts: &Facts) -> Vec<Finding> {
    let places = facts.places().into_iter();
    let again = places.filter(|place| {
        let came = facts
            .visits_to(place)
            .filter(|visit| visit.state == omv_boards::State::Run && visit.came.is_some());
        came.count() >= TIMES
    });
    again
        .map(|place| Finding {
            code: Code::MainLoops,
            severity: Severity::Problem,
            place: Some(place.to_owned()),
            title: "the firmware starts, and the camera resets, again and again".into(),
            words: "A main.py that resets the camera, or that a watchdog resets, does this; so does weak power.".into(),
            next: "Give main.py another name from the bootloader: one sector is written, and every other file stays. With a card in, take the card out.".into(),
            remedy: Some(Remedy::SetAside),
            source: "zzycbzc.com/news/26448",
        })
        .collect()
}
