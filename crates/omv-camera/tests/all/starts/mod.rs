//! Disks of cameras that do not start what they should, and the code each must have.

use omv_camera::doctor::{Code, Damage, Disk};
use omv_fat::Kind;

/// A camera with a disk: number of the problem, USB id, board, firmware, disk, code.
pub type Case = (&'static str, [&'static str; 3], Disk, Code);

const RT1062: [&str; 3] = ["37C5:1060", "rt1062", "5.0.0"];
const H7: [&str; 3] = ["37C5:1204", "openmv4", "4.8.1"];
/// The last release that wants half of the memory left.
const H7_OLD: [&str; 3] = ["37C5:1204", "openmv4", "4.5.8"];

/// A card on which all is well.
pub fn well() -> Disk {
    with_main("import sensor, time\nsensor.reset()\nwhile True:\n    sensor.snapshot()\n")
}

pub fn with_main(text: &str) -> Disk {
    Disk {
        card: true,
        mountable: true,
        free: 1 << 24,
        files: vec![".openmv_disk".into(), "main.py".into()],
        main: Some(text.as_bytes().to_vec()),
        ..Disk::default()
    }
}

fn damaged(kind: Kind, path: Option<&str>) -> Disk {
    let damage = Damage {
        kind,
        path: path.map(str::to_owned),
        detail: "as it was found".into(),
    };
    Disk {
        damage: vec![damage],
        ..well()
    }
}

pub fn cases() -> Vec<Case> {
    let frames = |size: &str, more: &str| {
        with_main(&format!(
            "import sensor\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\n\
             sensor.set_framesize(sensor.{size})\n{more}"
        ))
    };
    vec![
        (
            "32",
            RT1062,
            Disk {
                unstable: vec![150, 151],
                ..well()
            },
            Code::DiskFaulty,
        ),
        (
            "32",
            ["1209:ABD1", "rt1062", "4.5.2"],
            well(),
            Code::KnownFault,
        ),
        (
            "33",
            RT1062,
            Disk {
                card: false,
                mountable: false,
                ..Disk::default()
            },
            Code::DiskUnmountable,
        ),
        (
            "34",
            RT1062,
            damaged(Kind::InfoFreeZero, None),
            Code::FreeCountZero,
        ),
        ("35", RT1062, damaged(Kind::Dirty, None), Code::DiskDirty),
        (
            "36",
            RT1062,
            damaged(Kind::ChainShort, Some("/main.py")),
            Code::FileCutShort,
        ),
        (
            "36",
            RT1062,
            damaged(Kind::LostClusters, None),
            Code::DiskDamaged,
        ),
        (
            "36",
            RT1062,
            Disk {
                free: 512,
                ..well()
            },
            Code::DiskFull,
        ),
        (
            "36",
            RT1062,
            Disk {
                leftovers: vec!["main.py.0123456789abcdef.omv".into()],
                ..well()
            },
            Code::SaveUnfinished,
        ),
        (
            "37",
            RT1062,
            Disk {
                files: vec!["main.py.txt".into()],
                main: None,
                ..well()
            },
            Code::MainMissing,
        ),
        ("38", RT1062, with_main("def f(:\n"), Code::ScriptBroken),
        ("38", RT1062, with_main("import lcd\n"), Code::ModuleMissing),
        (
            "38",
            RT1062,
            with_main("import my_helpers\n"),
            Code::ModuleMissing,
        ),
        ("39", H7, frames("VGA", ""), Code::FrameTooLarge),
        (
            "39",
            H7,
            frames("QVGA", "sensor.set_framebuffers(3)\n"),
            Code::FrameTooLarge,
        ),
        ("39", H7_OLD, frames("QVGA", ""), Code::SingleBuffer),
        ("39", H7, frames("HVGA", ""), Code::SingleBuffer),
    ]
}
