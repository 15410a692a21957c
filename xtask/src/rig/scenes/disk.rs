//! The disk that a virtual camera shows, behind the kernel's usb-storage.

use anyhow::{Result, ensure};

use super::Scene;
use crate::rig::results::{Results, is};

/// The disk itself.
pub const SCENES: &[Scene] = &[Scene {
    name: "disk",
    limit: 90,
    script: include_str!("../../../../rig/scenes/disk"),
    recording: None,
    judge: disk,
}];

/// f3probe before cards with faults.
pub const CARDS: &[Scene] = &[Scene {
    name: "cards",
    limit: 400,
    script: include_str!("../../../../rig/scenes/cards"),
    recording: None,
    judge: cards,
}];

/// What f3probe says of each card; the table of `docs/disk-test.md` has it, too.
const F3: [(&str, &str); 8] = [
    ("good", "is the real thing"),
    ("wraps", "is damaged"),
    ("drops", "is a counterfeit of type limbo"),
    ("stuck", "is the real thing"),
    ("rots", "is the real thing"),
    ("fails", "is damaged"),
    ("silent", "is the real thing"),
    ("swaps", "is the real thing"),
];

fn cards(results: &Results) -> Result<()> {
    results.ran("format")?.exits(0)?;
    for (card, wanted) in F3 {
        let ran = results.ran(&format!("f3-{card}"))?;
        ensure!(ran.code != 127, "f3probe is missing: apt-get install f3");
        ensure!(
            ran.stdout.contains(wanted),
            "f3probe says of the card `{card}`: {}",
            ran.stdout
        );
    }
    Ok(())
}

fn disk(results: &Results) -> Result<()> {
    results.ran("format")?.exits(0)?;
    // In use by the computer: not touched.
    results.ran("mounted")?.exits(9)?.error("disk-mounted")?;
    let saved = results.ran("save")?.exits(0)?.last()?;
    is(&saved, "kind", "sd")?;
    is(&saved, "restarted", true)?;
    results.ran("check")?.exits(0)?;
    is(&saved, "runs", true)?;
    is(&results.ran("image")?.exits(0)?.last()?, "healthy", true)?;
    // mtools has the last word on both files.
    for (name, file) in [("data", "data.txt"), ("main", "hello.py")] {
        results.ran(name)?.exits(0)?;
        let there = results.bytes(&format!("{name}.out"))?;
        ensure!(
            there == results.bytes(file)?,
            "{file} is another on the card"
        );
    }
    Ok(())
}
