//! NXP's own tools, and ours under their names: the documented update and recovery, line by line.

use anyhow::{Context, Result, ensure};

use super::{Recording, Scene};
use crate::rig::NEW;
use crate::rig::chip::Chip;
use crate::rig::results::{Results, is};

const UPDATE: Recording = Recording {
    file: "spsdk-3.12.0-update.txt",
    makes: true,
    title: "An update by the lines of OpenMV's page, blhost of SPSDK 3.12.0; made by \
            `cargo xtask rig --record`.",
};

/// In the order they run in.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "page-real",
        limit: 240,
        script: concat!("tools=real\n", include_str!("../../../../rig/scenes/page")),
        recording: Some(UPDATE),
        judge: update,
    },
    Scene {
        name: "page-ours",
        limit: 90,
        script: concat!("tools=ours\n", include_str!("../../../../rig/scenes/page")),
        // Report for report what the real one sends.
        recording: Some(Recording {
            makes: false,
            ..UPDATE
        }),
        judge: update,
    },
    Scene {
        name: "recovery-real",
        limit: 240,
        script: include_str!("../../../../rig/scenes/recovery-real"),
        recording: Some(Recording {
            file: "spsdk-3.12.0-recovery.txt",
            makes: true,
            title: "A recovery by the lines of OpenMV's page, sdphost and blhost of SPSDK 3.12.0; \
                    made by `cargo xtask rig --record`.",
        }),
        judge: recovery,
    },
];

const SUCCESS: &str = "Response status = 0 (0x0) Success.";

/// Where things lie in the chip.
const FCB: usize = 0x6000_0000;
const SBL: usize = 0x6000_1000;
const FIRMWARE: usize = 0x6004_0000;
const ROMFS: usize = 0x6080_0000;
const ROMFS_SIZE: usize = 0x80_0000;

/// The five lines succeed, the camera runs the new firmware, and its flash is what it was but for
/// what the lines say.
fn update(results: &Results) -> Result<()> {
    let typed = results.typed()?;
    ensure!(typed.len() == 5, "{} lines were typed", typed.len());
    for number in 1..=5 {
        let line = results.ran(&format!("line{number}"))?;
        line.exits(0)?.says(&[SUCCESS])?;
    }
    let (firmware, romfs) = (results.bytes("firmware.bin")?, results.bytes("romfs0.img")?);
    let written = |size: usize| format!("Response word 1 = {size} ({size:#x})");
    results.ran("line2")?.says(&[&written(romfs.len())])?;
    results.ran("line4")?.says(&[&written(firmware.len())])?;
    runs(results)?;
    let mut wanted = Chip::read(&results.path("before.state"))?;
    wanted.erase(ROMFS, ROMFS_SIZE);
    wanted.write(ROMFS, &romfs);
    wanted.erase(FIRMWARE, firmware.len());
    wanted.write(FIRMWARE, &firmware);
    wanted.agrees(&Chip::read(&results.path("after.state"))?)
}

/// Every step succeeds, what was read back is what was written, and the camera runs.
fn recovery(results: &Results) -> Result<()> {
    let hab = "Status (HAB mode) = 1450735702 (0x56787856) Hab Is Disabled (Unlocked).";
    let written = "Response status = 2290649224 (0x88888888) Write File Success.";
    results.ran("line1")?.exits(0)?.says(&[hab, written])?;
    results.ran("line2")?.exits(0)?.says(&[hab])?;
    let batch = results.ran("line3")?;
    batch.exits(0)?;
    let commands = results.text("batch.txt")?.lines().count();
    let succeeded = batch.stdout.matches(SUCCESS).count();
    ensure!(
        succeeded == commands && commands == 14,
        "{succeeded} of {commands} commands succeed"
    );
    let sbl = results.bytes("blhost_flash_loader.bin")?;
    ensure!(
        results.bytes("sbl.back")? == sbl,
        "the bootloader reads back otherwise"
    );
    let fcb = results.bytes("fcb.back")?;
    ensure!(fcb.starts_with(b"FCFB"), "no boot block reads back");
    runs(results)?;
    let firmware = results.bytes("firmware.bin")?;
    let before = Chip::read(&results.path("before.state"))?;
    let mut wanted = Chip::read(&results.path("before.state"))?;
    wanted.erase(FCB, 0x1000);
    wanted.write(FCB, &fcb);
    wanted.erase(SBL, sbl.len());
    wanted.write(SBL, &sbl);
    wanted.erase(FIRMWARE, firmware.len());
    wanted.write(FIRMWARE, &firmware);
    ensure!(
        before.agrees(&wanted).is_err(),
        "there was nothing to recover"
    );
    wanted.agrees(&Chip::read(&results.path("after.state"))?)
}

fn runs(results: &Results) -> Result<()> {
    let info = results.ran("info")?.exits(0)?.last().context("info")?;
    is(&info, "state", "run")?;
    is(&info, "firmware", NEW)
}
