//! Rules about cameras that are missing, restless, mute, or not what they seem.

use std::time::Duration;

use omv_boards::{Board, Family, State, UsbId, Version};

use super::facts::{Answer, Facts, Visit};
use super::{Code, Finding, Remedy, Severity};

/// A bootloader that comes this often within [`CYCLE_SPAN`] belongs to firmware that crashes.
pub(super) const CYCLE_TIMES: usize = 3;
/// See [`CYCLE_TIMES`]. One round of window, crash and reset takes 2 to 4 s.
pub(super) const CYCLE_SPAN: Duration = Duration::from_secs(20);
/// The last release that may have been a factory firmware of 2023. Which one it was is uncertain.
const FACTORY: Version = Version {
    major: 4,
    minor: 5,
    patch: 1,
};

/// Nothing is there that may be a camera, and nothing came.
pub(super) fn silent(facts: &Facts) -> Vec<Finding> {
    if !facts.cameras.is_empty() || !facts.visits.is_empty() {
        return Vec::new();
    }
    // Windows saw one that no program can see: that is another finding.
    if !super::machine::drivers(facts).is_empty() {
        return Vec::new();
    }
    let own = facts.expected.map(|board| {
        let advice: Vec<&str> = board.advice(State::Silent).collect();
        advice.join(" ")
    });
    let next = own.filter(|text| !text.is_empty()).unwrap_or_else(|| {
        "Use a cable with which files were copied before, and a port of the computer itself, not of a hub. Take shields, batteries and an SD card off. A camera in deep sleep wakes by its power button. If it stays silent, name the board to be told how to reach its chip's ROM.".to_owned()
    });
    let seconds = facts.watched.as_secs();
    vec![Finding {
        code: Code::Silent,
        severity: Severity::Problem,
        place: None,
        title: format!("nothing that may be a camera appeared in {seconds} s"),
        words: "A cable that only charges looks exactly like this: the power light is on and nothing is on the bus. A green power light is no sign of a bootloader.".into(),
        next,
        remedy: Some(Remedy::Watch),
        source: "forum 9334; forum 11170",
    }]
}

/// Whether a stay began inside a span before `end`.
fn came_within(visit: &Visit, end: Duration) -> bool {
    visit.came.unwrap_or_default() + CYCLE_SPAN > end
}

/// Whether the bootloader in this socket comes and goes.
pub(super) fn is_cycling(facts: &Facts, place: &str) -> bool {
    let stays: Vec<&Visit> = facts.visits_to(place).collect();
    let end = stays
        .last()
        .map(|visit| visit.came.unwrap_or_default())
        .unwrap_or_default();
    stays
        .iter()
        .rev()
        .take_while(|visit| visit.state.family() == Family::Bootloader && came_within(visit, end))
        .count()
        >= CYCLE_TIMES
}

/// A bootloader comes and goes.
pub(super) fn cycling(facts: &Facts) -> Vec<Finding> {
    let windows = super::machine::drivers(facts);
    let no_driver = windows
        .iter()
        .any(|finding| finding.code == Code::DriverMissing);
    facts
        .places()
        .into_iter()
        // Without a driver every bootloader looks like this on Windows.
        .filter(|place| !no_driver && is_cycling(facts, place))
        .map(|place| {
            let times = facts.visits_to(place).count();
            let advice = facts.at(place).and_then(|sight| sight.advice(State::Cycling));
            Finding {
                code: Code::Cycling,
                severity: Severity::Problem,
                place: Some(place.to_owned()),
                title: format!("the bootloader came {times} times: the firmware crashes at every start"),
                words: advice.unwrap_or_else(|| "The firmware crashes at every start. Its bootloader can be caught as it passes, and new firmware ends this.".into()),
                next: "Leave the camera plugged in and write firmware that is known to work. If that does not help, try another cable and a port without a hub: weak power does the same.".into(),
                remedy: Some(Remedy::Flash),
                source: "forum 7636; openmv/openmv-ota ci/hil/ota_cycle.py",
            }
        })
        .collect()
}

/// A camera left and nothing took its place.
pub(super) fn vanished(facts: &Facts) -> Vec<Finding> {
    facts
        .places()
        .into_iter()
        .filter(|place| facts.at(place).is_none() && !is_cycling(facts, place))
        .map(|place| Finding {
            code: Code::Vanished,
            severity: Severity::Problem,
            place: Some(place.to_owned()),
            title: "the camera left the bus and did not come back".into(),
            words: "Firmware that hangs before it starts USB, a loose plug and a weak port all look like this.".into(),
            next: "Use another cable and a port of the computer itself, plug the camera in again and look once more.".into(),
            remedy: Some(Remedy::Watch),
            source: "forum 6448; forum 7636",
        })
        .collect()
}

/// Firmware runs and does not answer.
pub(super) fn no_answer(facts: &Facts) -> Vec<Finding> {
    facts
        .cameras
        .iter()
        .filter_map(|sight| {
            let Answer::Failed { code, message } = &sight.answer else {
                return None;
            };
            if matches!(*code, "no-access" | "busy") {
                return None;
            }
            Some(Finding {
                code: Code::NoAnswer,
                severity: Severity::Problem,
                place: Some(sight.place.clone()),
                title: format!("the firmware runs and does not answer ({code})"),
                words: format!("{message}. A program on the camera that never pauses, a damaged disk or another program that reads the same port do this."),
                next: "Take the SD card out, unplug the camera and plug it in again. If it still does not answer, save its disk in the bootloader, erase the disk and write firmware.".into(),
                remedy: Some(Remedy::Flash),
                source: "forum 9334",
            })
        })
        .collect()
}

/// The firmware says it is another board than the USB id does.
pub(super) fn board_mismatch(facts: &Facts) -> Vec<Finding> {
    facts
        .cameras
        .iter()
        .filter_map(|sight| {
            let Answer::Who {
                board, arch, usb, ..
            } = &sight.answer
            else {
                return None;
            };
            let fits = |name: &str| sight.boards().iter().any(|one| one.name == name);
            let other_id = usb.filter(|usb| *usb != sight.usb);
            let (says, cause) = if fits(&board.name) {
                // The boards of one id may be meant; an id the firmware was not built for is not,
                // and neither is one that belongs to another board and to no era of this one.
                let built = other_id.or_else(|| proper_id(board, sight.usb))?;
                (format!("built for {} ({built})", board.title), "id")
            } else {
                let says = arch.as_deref().unwrap_or(&board.title);
                (format!("for {} ({says})", board.title), "board")
            };
            Some(Finding {
                code: Code::BoardMismatch,
                severity: Severity::Warning,
                place: Some(sight.place.clone()),
                title: format!("the firmware is {says}, and the USB id {} is another's", sight.usb),
                words: format!("Some releases announced the {cause} of a sibling; firmware of another board that happens to start does, too. What the firmware says of itself is to be believed over the id."),
                next: "Compare with the name printed on the board, and write the firmware of that board, naming it.".into(),
                remedy: Some(Remedy::Flash),
                source: "openmv-ide#147; micropython#11109; openmv#185",
            })
        })
        .collect()
}

/// The id a board should show, if `usb` is another board's that firmware of this one announced by
/// mistake.
fn proper_id(board: &Board, usb: UsbId) -> Option<UsbId> {
    let own = board
        .identities(State::Run)
        .find(|identity| identity.usb == usb)?;
    let proper = board.identities(State::Run).next()?.usb;
    let owned = omv_boards::all().iter().any(|other| {
        let first = other.identities(State::Run).next();
        other.name != board.name && first.is_some_and(|identity| identity.usb == usb)
    });
    let in_no_era = own.since.is_none() && own.until.is_none();
    (proper != usb && in_no_era && owned).then_some(proper)
}

/// Factory firmware whose disk is damaged by editing a file on it.
pub(super) fn update_first(facts: &Facts) -> Vec<Finding> {
    facts
        .cameras
        .iter()
        .filter_map(|sight| {
            let Answer::Who {
                board,
                firmware: Some(firmware),
                ..
            } = &sight.answer
            else {
                return None;
            };
            // The boards' own advice for a running camera is about this firmware.
            let advice = board.advice(State::Run).next()?;
            (*firmware <= FACTORY).then(|| Finding {
                code: Code::UpdateFirst,
                severity: Severity::Warning,
                place: Some(sight.place.clone()),
                title: format!("firmware {firmware} may be the one it was sold with"),
                words: advice.to_owned(),
                next: "Write new firmware before you edit files on the camera's disk.".into(),
                remedy: Some(Remedy::Flash),
                source: "forum 9468",
            })
        })
        .collect()
}

/// Two devices that only their sockets tell apart.
pub(super) fn same_serial(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, one) in facts.cameras.iter().enumerate() {
        let same = |other: &&super::Sight| other.usb == one.usb && other.serial == one.serial;
        let earlier = facts.cameras.iter().take(at).filter(same).count();
        let others: Vec<&str> = facts
            .cameras
            .iter()
            .filter(same)
            .map(|sight| &*sight.place)
            .collect();
        if earlier == 0 && others.len() > 1 {
            findings.push(Finding {
                code: Code::SameSerial,
                severity: Severity::Hint,
                place: None,
                title: format!("{} devices cannot be told apart by serial number", others.len()),
                words: format!("The devices at {} have the same id and the same serial number, or none: chips in their ROM, and bootloaders, often do.", others.join(", ")),
                next: "Choose one by its place.".into(),
                remedy: None,
                source: "dfu-util, multiple devices",
            });
        }
    }
    findings
}
