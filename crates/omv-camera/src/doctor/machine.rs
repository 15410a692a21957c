//! Rules about the machine: rights, other programs, drivers, virtual machines.

use omv_boards::{UsbId, candidates};
use omv_link::native::health::{NodeKind, Platform, Problem};

use super::facts::{Answer, Facts, Sight};
use super::{Code, Finding, Remedy, Severity, udev};

/// The account may not open a device that is there.
pub(super) fn access(facts: &Facts) -> Vec<Finding> {
    let Some(host) = facts.host() else {
        return Vec::new();
    };
    facts
        .cameras
        .iter()
        .filter_map(|sight| {
            let refused = matches!(&sight.answer, Answer::Failed { code: "no-access", .. });
            let node = sight.denied();
            if node.is_none() && !refused {
                return None;
            }
            let path = node.map_or("its port", |node| &node.path);
            let kind = node.map_or(sight.needs(), |node| node.kind);
            let title = format!("this account may not open {path}");
            let finding = |code, words: String, next: &str, remedy, source| Finding {
                code,
                severity: Severity::Problem,
                place: Some(sight.place.clone()),
                title: title.clone(),
                words,
                next: next.to_owned(),
                remedy,
                source,
            };
            Some(if host.platform != Platform::Linux {
                finding(
                    Code::NoAccess,
                    "The camera is fine, and this computer denies access to it: a policy, a missing permission, or another program that holds it.".into(),
                    "Close other programs that use cameras or serial ports; run the command once as an administrator; else try another port or another computer.",
                    None,
                    "forum 9334; forum 9468",
                )
            } else if udev::grants(&host.rules, sight.usb, kind) {
                finding(
                    Code::RulesNotApplied,
                    format!("The camera is fine. A udev rule for {} is there, but the node does not show it: the camera was plugged in before the rule came, or you are logged in from afar. The tag uaccess gives access to whoever sits at this machine.", sight.usb),
                    "Unplug the camera and plug it in again; over SSH, run the command as root.",
                    Some(Remedy::ReloadRules),
                    "systemd 73-seat-late.rules; openmv/qt-creator setup.sh",
                )
            } else {
                finding(
                    Code::NoAccess,
                    format!("The camera is fine, and Linux denies access to it: no udev rule grants the {} node of {}.", kind.subsystem(), sight.usb),
                    "Install the udev rules for OpenMV cameras, then unplug the camera and plug it in again.",
                    Some(Remedy::InstallRules),
                    "openmv-ide#268",
                )
            })
        })
        .collect()
}

/// Nothing is denied now, but another state of the camera would be.
pub(super) fn rules(facts: &Facts) -> Vec<Finding> {
    let Some(host) = facts.host() else {
        return Vec::new();
    };
    // Without udevd rules do nothing, and root needs none.
    if host.platform != Platform::Linux || host.root || host.udevd == Some(false) {
        return Vec::new();
    }
    let denied = access(facts)
        .iter()
        .any(|finding| finding.code == Code::NoAccess);
    let missing: Vec<UsbId> = udev::needs()
        .into_iter()
        .filter(|need| !need.shared)
        .filter(|need| concerns(facts, need.id))
        .filter(|need| {
            need.kinds
                .iter()
                .any(|kind| !udev::grants(&host.rules, need.id, *kind))
        })
        .map(|need| need.id)
        .collect();
    if missing.is_empty() || denied {
        return Vec::new();
    }
    let shown: Vec<String> = missing.iter().take(4).map(UsbId::to_string).collect();
    let more = match missing.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    vec![Finding {
        code: Code::RulesMissing,
        severity: Severity::Warning,
        place: None,
        title: "udev rules for OpenMV cameras are missing".into(),
        words: format!(
            "A camera changes its USB id when it enters its bootloader or its ROM. Linux will then deny access: no rule grants all nodes of {}{more}.",
            shown.join(", ")
        ),
        next: "Install the udev rules for OpenMV cameras.".into(),
        remedy: Some(Remedy::InstallRules),
        source: "openmv-ide#268",
    }]
}

/// Whether an id is one the cameras seen may take on; without cameras, every id counts.
fn concerns(facts: &Facts, id: UsbId) -> bool {
    let mut boards = facts.cameras.iter().flat_map(Sight::boards).peekable();
    boards.peek().is_none()
        || boards.any(|board| board.seen.iter().any(|identity| identity.usb == id))
}

/// Another program has the camera.
pub(super) fn busy(facts: &Facts) -> Vec<Finding> {
    facts
        .cameras
        .iter()
        .filter_map(|sight| {
            let holders = sight.holders();
            let said = match &sight.answer {
                Answer::Failed {
                    code: "busy",
                    message,
                } => Some(message.clone()),
                _ => None,
            };
            let title = match (holders.is_empty(), said) {
                (false, _) => format!("in use by {}", holders.join(", ")),
                (true, Some(message)) => message,
                (true, None) => return None,
            };
            Some(Finding {
                code: Code::Busy,
                severity: Severity::Problem,
                place: Some(sight.place.clone()),
                title,
                words: "Only one program at a time can talk to a camera.".into(),
                next: "Close the other program, such as OpenMV IDE or a serial monitor, or disconnect the camera in it.".into(),
                remedy: None,
                source: "forum 9334; openmv#153",
            })
        })
        .collect()
}

/// Programs that open ports they were not told to open.
pub(super) fn takers(facts: &Facts) -> Vec<Finding> {
    let Some(host) = facts.host() else {
        return Vec::new();
    };
    let process = |name: &str| {
        let program = host.programs.iter().find(|program| program.name == name)?;
        Some(program.process)
    };
    let mut findings = Vec::new();
    let is_quiet = |need: &udev::Need| {
        need.shared
            || !need.kinds.contains(&NodeKind::Tty)
            || !concerns(facts, need.id)
            || udev::quiets_modem_manager(&host.rules, need.id)
    };
    if let Some(process) = process("ModemManager")
        && !udev::needs().iter().all(is_quiet)
    {
        findings.push(Finding {
            code: Code::ModemManager,
            severity: Severity::Warning,
            place: None,
            title: format!("ModemManager (process {process}) probes every camera that is plugged in"),
            words: "It takes new serial ports for modems and sends commands to them. The camera's first answers are lost, and the half second of an old bootloader is over before anything else gets through.".into(),
            next: "Install the udev rules for OpenMV cameras: they tell ModemManager to leave cameras alone.".into(),
            remedy: Some(Remedy::InstallRules),
            source: "openmv#153",
        });
    }
    if let Some(process) = process("brltty") {
        findings.push(Finding {
            code: Code::Brltty,
            severity: Severity::Hint,
            place: None,
            title: format!("brltty (process {process}) may take a serial bridge away"),
            words: "It takes some serial bridges for braille displays. An AE3 in maintenance mode shows itself as such a bridge.".into(),
            next: "If a bridge disappears when it is plugged in and you use no braille display, remove brltty.".into(),
            remedy: None,
            source: "brltty udev rules",
        });
    }
    findings
}

/// What Windows says of devices with a camera's id.
pub(super) fn drivers(facts: &Facts) -> Vec<Finding> {
    let Some(host) = facts.host() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for device in &host.pnp {
        let usb = UsbId {
            vid: device.vid,
            pid: device.pid,
        };
        // A device that did not even get to say who it is may be a camera.
        let nameless = device.vid == 0;
        if !nameless && candidates(usb, device.serial.as_deref()).is_empty() {
            continue;
        }
        let finding = |code, title: String, words: &str, next: &str| Finding {
            code,
            severity: Severity::Problem,
            place: None,
            title,
            words: words.to_owned(),
            next: next.to_owned(),
            remedy: None,
            source: "openmv-ide#260; openmv-ide#280; Microsoft, Device Manager error messages",
        };
        findings.push(match device.problem() {
            Some(Problem::NoDriver) if !nameless => finding(
                Code::DriverMissing,
                format!("driver missing for {usb} (problem code {})", device.code),
                "Windows has no driver of its own for bootloaders. Without one it never configures the device, and the bootloader leaves after a second: installing at first sight always loses.",
                "Bind WinUSB to this id before the camera enters its bootloader again: install OpenMV IDE's drivers, or use Zadig while the camera is plugged in again and again.",
            ),
            Some(Problem::Signature) => finding(
                Code::DriverRefused,
                format!("Windows refuses the driver of {usb} (problem code {})", device.code),
                "OpenMV's drivers before 2025-04-30 were signed in a way that some Windows builds reject.",
                "Install the drivers of a newer OpenMV IDE, or bind WinUSB with Zadig.",
            ),
            Some(Problem::NotStarted | Problem::Disabled | Problem::Other | Problem::NoDriver) => {
                let who = if nameless {
                    "a device that did not say who it is".to_owned()
                } else {
                    usb.to_string()
                };
                finding(
                    Code::DeviceFailed,
                    format!("Windows could not start {who} (problem code {})", device.code),
                    "The device answered wrongly, too late, or somebody disabled it. A bad cable or a weak port looks like this, too.",
                    "Plug the camera into another port of the computer itself with another cable; if it is disabled in the Device Manager, enable it.",
                )
            }
            None if device.has_foreign_driver() => finding(
                Code::DriverForeign,
                format!("ST's old driver is bound to {usb}"),
                "With the driver STTub30 the device can be seen, and no program that expects WinUSB can use it.",
                "Bind WinUSB instead, with Zadig or the driver of STM32CubeProgrammer.",
            ),
            None => continue,
        });
    }
    findings
}

/// A virtual machine between the camera and this system.
pub(super) fn virtual_machine(facts: &Facts) -> Vec<Finding> {
    let Some(host) = facts.host() else {
        return Vec::new();
    };
    let (Some(machine), true) = (
        host.hypervisor.as_deref().or(host
            .container
            .as_deref()
            .filter(|container| *container == "WSL")),
        facts.cameras.iter().any(|sight| !sight.simulated) || facts.cameras.is_empty(),
    ) else {
        return Vec::new();
    };
    // A camera that left while it was watched is what the missing filter looks like.
    let left = facts
        .visits
        .iter()
        .any(|visit| visit.left.is_some() && facts.at(&visit.place).is_none());
    let severity = match (left, facts.cameras.is_empty()) {
        (true, _) => Severity::Problem,
        (false, true) => Severity::Warning,
        (false, false) => Severity::Hint,
    };
    vec![Finding {
        code: Code::VirtualMachine,
        severity,
        place: None,
        title: format!("this system runs inside {machine}"),
        words: "A camera that enters its bootloader is another USB device. The host has to pass that one on, too, and each hand-over resets the bus: the bootloader's window is often over before this system sees it.".into(),
        next: "Give the virtual machine a USB filter for every id of the board, or work on the host.".into(),
        remedy: None,
        source: "forum 6448; openmv docs/firmware.md",
    }]
}

/// No udevd, so rules and hot-plug events do not exist.
pub(super) fn udevd(facts: &Facts) -> Vec<Finding> {
    let Some(host) = facts.host() else {
        return Vec::new();
    };
    if host.udevd != Some(false) || host.platform != Platform::Linux {
        return Vec::new();
    }
    let place = host.container.as_deref().unwrap_or("this system");
    vec![Finding {
        code: Code::NoUdevd,
        severity: Severity::Hint,
        place: None,
        title: format!("no udevd runs in {place}"),
        words: "Rules for access have no effect here, and node files appear only where somebody passes them in. Cameras are found all the same: the bus is looked at again and again.".into(),
        next: "If a camera cannot be opened, grant access outside, or run the command as root.".into(),
        remedy: None,
        source: "udev(7)",
    }]
}
