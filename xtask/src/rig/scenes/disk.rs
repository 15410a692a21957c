//! The disk that a virtual camera shows, behind the kernel's usb-storage.

use anyhow::{Result, ensure};

use super::Scene;
use crate::rig::results::{Results, is};

/// One.
pub const SCENES: &[Scene] = &[Scene {
    name: "disk",
    limit: 90,
    script: include_str!("../../../../rig/scenes/disk"),
    recording: None,
    judge: disk,
}];

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
