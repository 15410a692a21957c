//! Rules about cameras that rest in a bootloader or a ROM, and about the bootloaders themselves.

use std::time::Duration;

use omv_boards::{Board, Family, Life, Role, State};

use super::facts::{Facts, Sight};
use super::trouble::is_cycling;
use super::{Code, Finding, Remedy, Severity};

/// A serial bootloader that leaves sooner is one of firmware before v2.1.
const SHORT: Duration = Duration::from_millis(600);
/// `bcdDevice` of DFU bootloaders built before they had versions.
const UNVERSIONED: u16 = 0x0200;
/// `bcdDevice` of the first DFU bootloader without the faults told of here: 1.0.2.
const GOOD: u16 = 0x0102;
/// The last MCUboot that cannot handle newer flash layouts.
const OLD_MCUBOOT: u32 = 22;
/// How the serial number of an H7 of revision V begins in its ROM: its chip identity.
const REVISION_V: &str = "20036450";

fn at(sight: &Sight, code: Code, severity: Severity, source: &'static str) -> Finding {
    Finding {
        code,
        severity,
        place: Some(sight.place.clone()),
        title: String::new(),
        words: String::new(),
        next: String::new(),
        remedy: None,
        source,
    }
}

fn in_state(facts: &Facts, state: State) -> impl Iterator<Item = &Sight> {
    facts
        .cameras
        .iter()
        .filter(move |sight| sight.state() == state)
}

/// How many times the ROM came to this socket by itself.
fn rom_arrivals(facts: &Facts, place: &str) -> usize {
    facts
        .visits_to(place)
        .filter(|visit| is_rom(visit.state) && visit.came.is_some())
        .count()
}

/// The states only a wire, a button or an empty flash leads to. A flashloader is not one.
fn is_rom(state: State) -> bool {
    matches!(state, State::StRom | State::Sdp | State::Picoboot)
}

/// The ROM again after a reset: the wire is still there.
pub(super) fn wire(facts: &Facts) -> Vec<Finding> {
    facts
        .cameras
        .iter()
        .filter(|sight| is_rom(sight.state()) && rom_arrivals(facts, &sight.place) > 0)
        .filter(|sight| facts.visits_to(&sight.place).count() > 1)
        .map(|sight| Finding {
            title: "the camera came back in its ROM".into(),
            words: "While the wire or the button is in place, every reset leads here, and the camera cannot start. That is no fault.".into(),
            next: leave(sight).unwrap_or_else(|| {
                "Remove the wire, then unplug the camera and plug it in again.".into()
            }),
            ..at(sight, Code::WireInPlace, Severity::Problem, "forum 9334; openmv#1437")
        })
        .collect()
}

/// What the board files say about leaving a state, where all boards it may be agree.
fn leave(sight: &Sight) -> Option<String> {
    let mut texts = sight
        .candidates
        .iter()
        .map(|one| one.identity.leave.clone());
    let first = texts.next()??;
    texts
        .all(|text| text.as_ref() == Some(&first))
        .then_some(first)
}

/// In the ROM, and staying.
pub(super) fn recovery(facts: &Facts) -> Vec<Finding> {
    let waits = wire(facts);
    facts
        .cameras
        .iter()
        .filter(|sight| is_rom(sight.state()) || sight.state() == State::Flashloader)
        .filter(|sight| waits.iter().all(|one| one.place.as_ref() != Some(&sight.place)))
        .map(|sight| {
            let advice = sight.advice(sight.state()).unwrap_or_default();
            let leave = leave(sight).unwrap_or_else(|| {
                "If a wire or a button brought it here and nothing is to be written: remove the wire, unplug the camera and plug it in again.".into()
            });
            let words = format!("The chip's own ROM waits for a program; no light is the expected sign. Without a wire in place this means that the bootloader in flash is missing. {advice}");
            Finding {
                title: format!("the camera is in recovery ({})", sight.state()),
                words: words.trim_end().to_owned(),
                next: leave,
                remedy: Some(Remedy::Recover),
                ..at(sight, Code::InRecovery, Severity::Warning, "forum 9334; openmv#1437")
            }
        })
        .collect()
}

/// A serial bridge that may be anything.
pub(super) fn bridge(facts: &Facts) -> Vec<Finding> {
    in_state(facts, State::SeUart)
        .map(|sight| Finding {
            title: format!("a serial bridge ({}) may be an AE3 in maintenance mode", sight.usb),
            words: "Thousands of products have this id. An OpenMV AE3 shows it while its recovery switch is on.".into(),
            next: "If this is an AE3 and nothing is to be recovered: unplug it, set the recovery switch to off, plug it in again.".into(),
            ..at(sight, Code::MaybeAe3, Severity::Hint, "openmv-ide#250")
        })
        .collect()
}

/// A bootloader that stays.
pub(super) fn bootloader(facts: &Facts) -> Vec<Finding> {
    facts
        .cameras
        .iter()
        .filter(|sight| sight.state().family() == Family::Bootloader)
        .filter(|sight| !is_cycling(facts, &sight.place))
        .map(|sight| Finding {
            title: format!("the bootloader waits ({})", sight.state()),
            words: "It stayed while it was watched: somebody holds it, or there is no firmware that could start.".into(),
            next: "Write firmware; or unplug the camera and plug it in again to let it start what it has.".into(),
            remedy: Some(Remedy::Flash),
            ..at(sight, Code::InBootloader, Severity::Warning, "openmv boot/src/common/main.c")
        })
        .collect()
}

/// OpenMV's serial bootloader, and the short-lived first of its kind.
pub(super) fn legacy(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = in_state(facts, State::LegacyBl)
        .map(|sight| Finding {
            title: "this is the old serial bootloader".into(),
            words: format!(
                "It takes bytes without saying when it is full: updates break at random if the computer is too fast, and they have to go slowly. {}",
                sight.advice(State::LegacyBl).unwrap_or_default()
            )
            .trim_end()
            .to_owned(),
            next: "Save the camera's disk, then let the bootloader be replaced by the DFU one.".into(),
            remedy: Some(Remedy::Recover),
            ..at(sight, Code::LegacyBootloader, Severity::Warning, "forum 8417")
        })
        .collect();
    let short = facts.visits.iter().filter(|visit| {
        visit.state == State::LegacyBl && visit.lasted().is_some_and(|lasted| lasted < SHORT)
    });
    let mut places: Vec<&str> = short.map(|visit| &*visit.place).collect();
    places.sort_unstable();
    places.dedup();
    findings.extend(places.into_iter().map(|place| Finding {
        code: Code::ShortWindow,
        severity: Severity::Warning,
        place: Some(place.to_owned()),
        title: "this bootloader stays for half a second only".into(),
        words: "Bootloaders up to v2.0 leave 500 ms after they appear, and part of that passes before a program can speak to them.".into(),
        next: "Start the work first and plug the camera in when asked; try several times. If it never succeeds, replace the bootloader through the chip's ROM.".into(),
        remedy: Some(Remedy::Recover),
        source: "forum 129; forum 407; forum 422; forum 601",
    }));
    findings
}

/// DFU bootloaders with known faults.
pub(super) fn old_bootloader(facts: &Facts) -> Vec<Finding> {
    in_state(facts, State::Dfu)
        .filter(|sight| sight.release == UNVERSIONED || sight.release < GOOD)
        .map(|sight| {
            let own = sight.advice(State::Dfu).unwrap_or_default();
            let words = format!("With some computers a bootloader of this age stays after flashing until the camera is plugged in again. {own}");
            Finding {
                title: format!("the bootloader is older than 1.0.2 (it says {:04X})", sight.release),
                words: words.trim_end().to_owned(),
                next: "Write the bootloader of a current release; until then, plug the camera in again if it does not start.".into(),
                remedy: Some(Remedy::Recover),
                ..at(sight, Code::OldBootloader, Severity::Warning, "openmv#2531; openmv#2535; openmv#2948")
            }
        })
        .collect()
}

/// A bootloader that knows no ROM file system, on a board whose current one does.
pub(super) fn no_romfs(facts: &Facts) -> Vec<Finding> {
    in_state(facts, State::Dfu)
        .filter(|sight| {
            let board = sight.board();
            board.is_some_and(|board| lacks_romfs(board, sight))
        })
        .map(|sight| Finding {
            title: "the bootloader is of a time without ROM file system".into(),
            words: "It offers no partition for models and other read-only files, and its partitions lie elsewhere than those of current releases.".into(),
            next: "Write the bootloader of a current release first, then firmware and ROM file system.".into(),
            remedy: Some(Remedy::Recover),
            ..at(sight, Code::NoRomfs, Severity::Warning, "openmv boards/*/boot_config.h")
        })
        .collect()
}

fn lacks_romfs(board: &Board, sight: &Sight) -> bool {
    let has_romfs = |layout: &omv_boards::Layout| layout.role(Role::Romfs).is_some();
    if !board.layout().is_some_and(has_romfs) {
        return false;
    }
    if !sight.alternate_names.is_empty() {
        return !sight
            .alternate_names
            .iter()
            .any(|name| name.starts_with("ROMFS"));
    }
    let count = |layout: &omv_boards::Layout| {
        let alternates = layout.regions.iter();
        alternates
            .filter(|region| region.alternate.is_some())
            .count()
    };
    // Only a count that a known generation without ROMFS has, and none with it.
    let alike = |layout: &&omv_boards::Layout| Some(count(layout)) == sight.alternates;
    let mut alike = board.layouts.iter().filter(alike).peekable();
    alike.peek().is_some() && !alike.any(has_romfs)
}

/// An MCUboot that cannot handle OpenMV's layouts.
pub(super) fn old_arduino(facts: &Facts) -> Vec<Finding> {
    in_state(facts, State::ArduinoDfu)
        .filter_map(|sight| {
            let version = mcuboot_version(&sight.alternate_names);
            // All of them have had four alternates since they carry a version.
            let old = match (version, sight.alternates) {
                (Some(version), _) => version <= OLD_MCUBOOT,
                (None, Some(count)) => count < 4,
                (None, None) => false,
            };
            let says = version.map_or("no version".to_owned(), |version| format!("version {version}"));
            old.then(|| Finding {
                title: format!("Arduino's bootloader is too old ({says})"),
                words: "Bootloaders up to version 22 cannot handle the flash layout of newer firmware: the board stays stuck after an update.".into(),
                next: "Update the bootloader with Arduino's own tools first.".into(),
                ..at(sight, Code::OldArduinoBootloader, Severity::Problem, "arduino/docs-content#127")
            })
        })
        .collect()
}

/// The number in `@Arduino  boot  v.25   /0x00000000/0*4Kg`.
///
/// Source: arduino/mcuboot-arduino-stm32h7 `app/dfu/`.
fn mcuboot_version(names: &[String]) -> Option<u32> {
    let name = names
        .iter()
        .find(|name| name.to_lowercase().contains("boot"))?;
    let (_, rest) = name.split_once("v.")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// A chip whose ROM may hang in an erase.
pub(super) fn revision_v(facts: &Facts) -> Vec<Finding> {
    in_state(facts, State::StRom)
        .filter(|sight| {
            let serial = sight.serial.as_deref();
            serial.is_some_and(|serial| serial.starts_with(REVISION_V))
        })
        .map(|sight| Finding {
            title: "the ROM of this chip may never report the end of an erase".into(),
            words: "It is an H7 of revision V. Erases beyond the first megabyte hang, so writing whole firmware through the ROM stops part-way.".into(),
            next: "Write only the bootloader through the ROM, and the firmware through the bootloader.".into(),
            remedy: Some(Remedy::Recover),
            ..at(sight, Code::RomRevisionV, Severity::Hint, "forum 1730; forum 6448; openmv#1508")
        })
        .collect()
}

/// A board nobody makes firmware for any more.
pub(super) fn retired(facts: &Facts) -> Vec<Finding> {
    facts
        .cameras
        .iter()
        .filter_map(|sight| {
            let Life::Retired { why } = &sight.board()?.life else {
                return None;
            };
            Some(Finding {
                title: format!("{} is retired", sight.title()),
                words: why.clone(),
                next: "Keep the firmware that works on it.".into(),
                ..at(
                    sight,
                    Code::RetiredBoard,
                    Severity::Warning,
                    "openmv-ide#133; openmv-ide#134; openmv-ide#135",
                )
            })
        })
        .collect()
}
