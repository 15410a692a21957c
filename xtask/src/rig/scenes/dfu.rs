//! The real `dfu-util`, and a foreign program that calls it, beside `omv` and its stand-in.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Scene;
use super::dfu_lines;
use crate::rig::results::{Ran, Results, is};
use crate::rig::{NEW, OLD};

/// The version after [`NEW`], which `omv` puts on the cameras when dfu-util is done with them.
const NEXT: &str = "5.0.1";

/// In the order they run in.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "dfu-real",
        limit: 180,
        script: include_str!("../../../../rig/scenes/dfu-real"),
        recording: None,
        judge: real,
    },
    Scene {
        name: "dfu-lines",
        limit: 180,
        script: include_str!("../../../../rig/scenes/dfu-lines"),
        recording: None,
        judge: dfu_lines::judge,
    },
    Scene {
        name: "rev-v",
        limit: 180,
        script: include_str!("../../../../rig/scenes/rev-v"),
        recording: None,
        judge: revision_v,
    },
    Scene {
        name: "m7-story",
        limit: 120,
        script: include_str!("../../../../rig/scenes/m7-story"),
        recording: None,
        judge: m7_story,
    },
];

/// openmv-ota, on demand: they take as long again.
pub const OTA: &[Scene] = &[
    Scene {
        name: "ota-real",
        limit: 150,
        script: concat!("tools=real\n", include_str!("../../../../rig/scenes/ota")),
        recording: None,
        judge: ota,
    },
    Scene {
        name: "ota-ours",
        limit: 150,
        script: concat!("tools=ours\n", include_str!("../../../../rig/scenes/ota")),
        recording: None,
        judge: ota,
    },
];

/// What dfu-util ends with when a device is gone before it could be reset: a perfect write.
const GONE: i32 = 251;

/// The cameras of `dfu-real`, with the names of their partitions, the last one first.
const CAMERAS: [(&str, &[&str]); 3] = [
    ("m7", &["ROMFS0", "FIRMWARE", "FILESYSTEM", "BOOTLOADER"]),
    (
        "h7plus",
        &[
            "ROMFS0",
            "SPI_FLASH",
            "FIRMWARE",
            "FILESYSTEM",
            "BOOTLOADER",
        ],
    ),
    ("n6", &["ROMFS0", "FILESYSTEM", "FIRMWARE", "BOOTLOADER"]),
];

fn real(results: &Results) -> Result<()> {
    for (model, partitions) in CAMERAS {
        let ran = |what: &str| results.ran(&format!("{model}-{what}"));
        let list = ran("list")?;
        list.exits(0)?;
        ensure!(
            names(&list) == *partitions,
            "{model} lists {:?}",
            names(&list)
        );
        ran("write")?.exits(0)?.says(&["Download done.", "Done!"])?;
        ran("read")?.exits(0)?.says(&["Upload done."])?;
        begins(results, &format!("{model}.back"), model, "firmware.bin")?;
        ran("reset")?.exits(0)?;
        runs(&ran("info")?, NEW)?;
        arrived(&ran("native")?, NEXT)?;
    }
    let ran = |what: &str| results.ran(&format!("rom-{what}"));
    let list = ran("list")?;
    list.exits(0)?;
    ensure!(names(&list).len() == 2, "the ROM lists {:?}", names(&list));
    let words = [
        "Erase    done.",
        "Download done.",
        "File downloaded successfully",
    ];
    ran("write")?.exits(0)?.says(&words)?;
    ran("read")?.exits(0)?;
    let (wrote, back) = (
        release(results, "h7", "bootloader.bin")?,
        results.bytes("rom.back")?,
    );
    ensure!(back == wrote, "the ROM reads back otherwise");
    let reset = ran("reset")?;
    reset.says(&["Submitting leave request..."])?;
    ensure!(
        [0, 74].contains(&reset.code),
        "leaving ends with {}",
        reset.code
    );
    is(&ran("info")?.exits(0)?.last()?, "state", "run")?;
    arrived(&ran("native")?, NEW)
}

/// The names of alternates in a list.
fn names(list: &Ran) -> Vec<&str> {
    let found = list
        .stdout
        .lines()
        .filter(|line| line.starts_with("Found DFU: ["));
    found
        .filter_map(|line| line.split("name=\"").nth(1)?.split('"').next())
        .collect()
}

/// A file of a release that the scenes find in the share.
fn release(results: &Results, model: &str, name: &str) -> Result<Vec<u8>> {
    let path = results.path("../../dfu").join(model).join(name);
    std::fs::read(&path).with_context(|| path.display().to_string())
}

fn begins(results: &Results, back: &str, model: &str, name: &str) -> Result<()> {
    let (wrote, back) = (release(results, model, name)?, results.bytes(back)?);
    ensure!(back.starts_with(&wrote), "{model} reads back otherwise");
    Ok(())
}

/// The real tool does not end by itself, ours do, and a sound chip keeps nobody waiting.
fn revision_v(results: &Results) -> Result<()> {
    let hang = results.ran("hang")?;
    hang.exits(124)?;
    ensure!(
        !hang.stdout.contains("Erase    done."),
        "the real tool got through the erase"
    );
    let ours = results.ran("ours")?;
    ours.exits(0)?.says(&["File downloaded successfully"])?;
    let said = "never reports that it erased 0x08100000";
    ensure!(
        results.text("ours.err")?.contains(said),
        "ours is silent about it"
    );
    results.ran("back")?.exits(0)?;
    let share = std::fs::read(results.path("../../dfu/bank2.bin"))?;
    ensure!(
        results.bytes("ours.back")? == share,
        "it reads back otherwise"
    );
    arrived(&results.ran("native")?, NEW)?;
    for name in ["sound", "sound-ours"] {
        let sound = results.ran(name)?;
        sound.exits(0)?.says(&["File downloaded successfully"])?;
        let err = results.text(&format!("{name}.err"))?;
        ensure!(!err.contains("never reports"), "{name}: {err}");
    }
    Ok(())
}

/// From the serial bootloader to the newest firmware, and who is told what on the way.
fn m7_story(results: &Results) -> Result<()> {
    results.ran("refused")?.error("old-bootloader")?;
    denied(&results.ran("rom")?, "/dev/bus/usb/001/")?;
    // Debian's dfu-util brings a rule for this id, which nobody applies in the guest.
    problem(
        &results.ran("rom-doctor")?,
        &["no-access", "rules-not-applied"],
    )?;
    arrived(&results.ran("recover")?, NEW)?;
    runs(&results.ran("info")?, NEW)?;
    results.ran("enter")?.exits(0)?;
    let list = results.ran("list")?.exits(0)?.last()?;
    let row = list.get(0).context("nobody sees nothing")?;
    is(row, "usb", "37C5:9203")?;
    is(row, "state", "no-driver")?;
    denied(&results.ran("denied")?, "/dev/bus/usb/001/")?;
    problem(&results.ran("doctor")?, &["no-access"])?;
    for tool in ["real", "ours"] {
        results.ran(tool)?.exits(0)?;
        let err = results.text(&format!("{tool}.err"))?;
        let has_it = |line: &str| {
            line.starts_with("dfu-util: Cannot open DFU device 37c5:9203 found on devnum ")
                && line.ends_with(" (LIBUSB_ERROR_ACCESS)")
        };
        ensure!(err.lines().any(has_it), "{tool} says {err}");
    }
    arrived(&results.ran("flash")?, NEXT)
}

fn denied(ran: &Ran, node: &str) -> Result<()> {
    let error = ran.exits(5)?.error("no-access")?;
    let message = error["message"].as_str().unwrap_or_default();
    ensure!(message.contains(node), "no {node} in {message}");
    let help = error["help"].as_str().unwrap_or_default();
    ensure!(help.contains("udev rule"), "the help is {help}");
    Ok(())
}

fn problem(ran: &Ran, codes: &[&str]) -> Result<()> {
    let seen = ran.exits(11)?.last()?;
    let findings = seen["findings"].as_array().context("no findings")?;
    let has_it = |finding: &Value| {
        let code = finding["code"].as_str().unwrap_or_default();
        codes.contains(&code) && finding["severity"] == "problem"
    };
    ensure!(findings.iter().any(has_it), "none of {codes:?} in {seen}");
    Ok(())
}

/// The program wrote both, and byte for byte: `omv` finds nothing left to write.
fn ota(results: &Results) -> Result<()> {
    for model in ["h7", "h7plus", "n6"] {
        let ran = |what: &str| results.ran(&format!("{model}-{what}"));
        let flash = ran("flash")?;
        // It takes the exit code of a device that went at the reset for a failure. What was written is
        // compared below.
        let said = results.text(&format!("{model}-flash.err"))?;
        let gone = said.contains(&format!("exit {GONE}"))
            || said.contains("exit 74") && said.contains(dfu_lines::GONE);
        let code = flash.code;
        ensure!(code == 0 || gone, "{model} ends with {code}: {said}");
        runs(&ran("info")?, NEW)?;
        for what in ["firmware", "romfs"] {
            let result = ran(what)?.exits(0)?.last()?;
            let regions = result["regions"].as_array().context("no regions")?;
            ensure!(!regions.is_empty(), "{model} {what}: {result}");
            for region in regions {
                is(region, "written_bytes", 0)?;
                is(region, "verified", true)?;
            }
        }
    }
    Ok(())
}

fn runs(info: &Ran, version: &str) -> Result<()> {
    ensure!(version != OLD);
    let info = info.exits(0)?.last()?;
    is(&info, "state", "run")?;
    is(&info, "firmware", version)
}

/// Demands that a job of `omv` ended with a running camera, all verified.
fn arrived(ran: &Ran, version: &str) -> Result<()> {
    let result = ran.exits(0)?.last()?;
    is(&result, "ok", true)?;
    is(&result, "state", "run")?;
    is(&result, "firmware", version)?;
    let regions = result["regions"].as_array().context("no regions")?;
    let verified = regions.iter().all(|region| region["verified"] == true);
    ensure!(verified && !regions.is_empty(), "not verified: {result}");
    Ok(())
}
