//! What is wrong with a camera, its cable or this machine, as far as software can see.
//!
//! ```text
//!   examine(buses, roots) --> Facts      what was seen: devices, comings and goings, rights, drivers
//!                               |
//!                        diagnose(&Facts) --> Finding*     code, place, words, next step
//! ```
//!
//! [`diagnose`] is a pure function: every problem a person ever reported is a value of [`Facts`],
//! so each rule is tested without a device, a driver or the operating system it is about. It
//! stands on this floor and not below because the facts are those of `omv-link` and the boards at
//! once. A rule is one line in [`RULES`]; [`UNSEEN`] says of every other known problem why no
//! rule could find it.
//!
//! Words speak of cables, lights and wires. Which command of a program carries a [`Remedy`] out
//! is that program's business.

mod disk;
mod examine;
mod facts;
mod frames;
mod machine;
mod releases;
mod resting;
mod start;
mod trouble;
pub mod udev;

use std::fmt;

pub use disk::{Damage, Disk};
pub use examine::{OpenDisk, Options, examine};
pub use facts::{Answer, Facts, Sight, Visit};

/// How much a finding matters. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A camera cannot be used until this is mended.
    Problem,
    /// It works, or may work, and something will go wrong sooner or later.
    Warning,
    /// Good to know.
    Hint,
}

impl Severity {
    /// The stable name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

/// What a program can do about a finding, or tell how to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Write the udev rules of [`udev::text`].
    InstallRules,
    /// Make udev read its rules again and apply them to what is plugged in.
    ReloadRules,
    /// Write firmware.
    Flash,
    /// Rebuild the camera through its ROM.
    Recover,
    /// Look again, for longer.
    Watch,
    /// Test the disk thoroughly.
    TestDisk,
    /// Copy out what can be read.
    Rescue,
    /// Repair the disk's structure.
    RepairDisk,
    /// Work on the disk's files.
    ListFiles,
    /// Give `main.py` another name, from the bootloader.
    SetAside,
}

/// One thing that is wrong, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which one.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// Where the camera is plugged in; none: about the machine.
    pub place: Option<String>,
    /// One line.
    pub title: String,
    /// What is known, in plain sentences.
    pub words: String,
    /// The next step for a person.
    pub next: String,
    /// What a program can do about it.
    pub remedy: Option<Remedy>,
    /// Who reported or explained it.
    pub source: &'static str,
}

/// One rule: facts in, findings out.
pub struct Rule {
    /// The codes it can give.
    pub codes: &'static [Code],
    /// The problems of the table in `docs/doctor.md` it finds, by number.
    pub rows: &'static [&'static str],
    find: fn(&Facts) -> Vec<Finding>,
}

/// Every rule, in the order of the usual questions: is anything there, may it be opened, does it
/// answer, is it in the right state, is it the right one.
pub const RULES: &[Rule] = &[
    rule(&[Code::Silent], &["5", "10"], trouble::silent),
    rule(&[Code::Cycling], &["28"], trouble::cycling),
    rule(&[Code::Vanished], &[], trouble::vanished),
    rule(
        &[Code::NoAccess, Code::RulesNotApplied],
        &["8", "9"],
        machine::access,
    ),
    rule(&[Code::RulesMissing], &["8"], machine::rules),
    rule(&[Code::Busy], &["9"], machine::busy),
    rule(
        &[Code::ModemManager, Code::Brltty],
        &["17"],
        machine::takers,
    ),
    rule(
        &[
            Code::DriverMissing,
            Code::DriverRefused,
            Code::DriverForeign,
            Code::DeviceFailed,
        ],
        &["4"],
        machine::drivers,
    ),
    rule(&[Code::VirtualMachine], &["14"], machine::virtual_machine),
    rule(&[Code::NoUdevd], &[], machine::udevd),
    rule(&[Code::NoAnswer], &["10"], trouble::no_answer),
    rule(&[Code::WireInPlace], &["11", "30"], resting::wire),
    rule(&[Code::InRecovery], &["11", "30"], resting::recovery),
    rule(&[Code::MaybeAe3], &["24"], resting::bridge),
    rule(&[Code::InBootloader], &[], resting::bootloader),
    rule(
        &[Code::LegacyBootloader, Code::ShortWindow],
        &["18", "19"],
        resting::legacy,
    ),
    rule(
        &[Code::OldBootloader],
        &["21", "22"],
        resting::old_bootloader,
    ),
    rule(&[Code::NoRomfs], &[], resting::no_romfs),
    rule(&[Code::OldArduinoBootloader], &["31"], resting::old_arduino),
    rule(&[Code::RomRevisionV], &["1"], resting::revision_v),
    rule(
        &[Code::BoardMismatch],
        &["7", "26"],
        trouble::board_mismatch,
    ),
    rule(&[Code::UpdateFirst], &["12"], trouble::update_first),
    rule(&[Code::RetiredBoard], &["15"], resting::retired),
    rule(&[Code::SameSerial], &[], trouble::same_serial),
    rule(&[Code::DiskFaulty], &["32"], start::faulty),
    rule(&[Code::DiskUnmountable], &["33"], start::unmountable),
    rule(
        &[
            Code::FileCutShort,
            Code::FreeCountZero,
            Code::DiskDamaged,
            Code::DiskDirty,
            Code::DiskFull,
            Code::SaveUnfinished,
        ],
        &["34", "35", "36"],
        start::damaged,
    ),
    rule(&[Code::MainMissing], &["37"], start::missing),
    rule(
        &[Code::ScriptBroken, Code::ModuleMissing],
        &["38"],
        start::broken,
    ),
    rule(&[Code::KnownFault], &["32"], start::known_faults),
    rule(
        &[Code::FrameTooLarge, Code::SingleBuffer],
        &["39"],
        start::frames,
    ),
    rule(&[Code::MainLoops], &["40"], start::restarting),
];

const fn rule(
    codes: &'static [Code],
    rows: &'static [&'static str],
    find: fn(&Facts) -> Vec<Finding>,
) -> Rule {
    Rule { codes, rows, find }
}

/// The known problems that a look at a camera and a machine cannot show, and why.
pub const UNSEEN: &[(&str, &str)] = &[
    (
        "2",
        "It concerns the files given to a job: they are checked before anything is touched.",
    ),
    (
        "3",
        "It happens at the end of a write: success is what reading back says.",
    ),
    (
        "6",
        "It is no fault: the watch waits as long as the board may take to appear.",
    ),
    (
        "13",
        "Nothing tells an erased bootloader apart from a silent camera; the erase itself is forbidden.",
    ),
    (
        "16",
        "No helper programs are started, and a quarantined program would not run to say so.",
    ),
    (
        "20",
        "It concerns a file: that bootloader is refused before it is written.",
    ),
    (
        "23",
        "It happens inside the chip maker's tool while it writes.",
    ),
    (
        "25",
        "It happens during a job: every wait there has an end.",
    ),
    ("27", "It is no fault: both protocols are spoken."),
    (
        "29",
        "It is no fault: devices are listed by the kernel's own tree, not by names.",
    ),
];

/// Everything the rules find, the worst first; within one severity in the order of the rules.
#[must_use]
pub fn diagnose(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| (rule.find)(facts)).collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

macro_rules! codes {
    ($($variant:ident = $name:literal: $about:literal,)*) => {
        /// The stable names of findings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $about] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name: in JSON, in `docs/doctor.md`, in forum answers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    Silent = "silent": "Nothing on the bus may be a camera.",
    Cycling = "cycling": "A bootloader comes and goes: the firmware crashes at every start.",
    Vanished = "vanished": "A camera left and did not come back.",
    NoAccess = "no-access": "The system denies this account access, and no rule grants it.",
    RulesNotApplied = "rules-not-applied": "A rule grants access, and the node does not show it.",
    RulesMissing = "rules-missing": "No rule grants access to some state of a camera.",
    Busy = "busy": "Another program has the camera.",
    ModemManager = "modem-manager": "ModemManager probes the camera's console as if it were a modem.",
    Brltty = "brltty": "brltty takes serial bridges for braille displays.",
    DriverMissing = "driver-missing": "Windows has no driver for the device.",
    DriverRefused = "driver-refused": "Windows does not accept the driver's signature.",
    DriverForeign = "driver-foreign": "Another maker's driver keeps programs away.",
    DeviceFailed = "device-failed": "Windows could not start the device, or it is disabled.",
    VirtualMachine = "virtual-machine": "A virtual machine passes the camera on.",
    NoUdevd = "no-udevd": "No udevd serves this system, so no rule is applied.",
    NoAnswer = "no-answer": "The firmware runs and does not answer.",
    WireInPlace = "wire-in-place": "The camera enters its ROM at every reset.",
    InRecovery = "in-recovery": "The camera is in its chip's ROM.",
    MaybeAe3 = "maybe-ae3": "A serial bridge may be an AE3 in maintenance mode.",
    InBootloader = "in-bootloader": "A bootloader waits for firmware.",
    LegacyBootloader = "legacy-bootloader": "OpenMV's old serial bootloader.",
    ShortWindow = "short-window": "The old bootloader stays for half a second only.",
    OldBootloader = "old-bootloader": "A DFU bootloader with known faults.",
    NoRomfs = "no-romfs": "A bootloader of a time without ROM file system.",
    OldArduinoBootloader = "old-arduino-bootloader": "An Arduino bootloader too old for OpenMV's firmware.",
    RomRevisionV = "rom-revision-v": "A chip whose ROM may never report the end of an erase.",
    BoardMismatch = "board-mismatch": "Firmware and USB id name different boards.",
    UpdateFirst = "update-first": "Factory firmware that damages its disk when it is edited.",
    RetiredBoard = "retired-board": "A board for which no firmware is made any more.",
    SameSerial = "same-serial": "Two devices with one serial number.",
    DiskFaulty = "disk-faulty": "The disk gives back other data than it holds.",
    DiskUnmountable = "disk-unmountable": "The camera cannot mount its disk.",
    FileCutShort = "file-cut-short": "A file's chain of clusters is not whole.",
    FreeCountZero = "free-count-zero": "The camera takes an empty disk for full.",
    DiskDamaged = "disk-damaged": "The disk's structure is damaged.",
    DiskDirty = "disk-dirty": "A computer lost the disk while it was in use.",
    DiskFull = "disk-is-full": "The disk has hardly any room.",
    SaveUnfinished = "save-unfinished": "A save by the camera was cut.",
    MainMissing = "main-missing": "No main.py lies where the camera looks.",
    ScriptBroken = "script-broken": "What the camera starts has a mistake.",
    ModuleMissing = "script-needs-more": "What the camera starts uses what its firmware lacks.",
    KnownFault = "known-fault": "The firmware's release has a fault that is known.",
    FrameTooLarge = "frame-too-large": "The frames that the script asks for do not fit.",
    SingleBuffer = "single-buffer": "Only one frame buffer fits.",
    MainLoops = "main-loops": "The firmware starts again and again.",
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}
