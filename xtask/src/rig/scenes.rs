//! The tests of the rig: a script for the guest, and a judge for what it left. The script's
//! words are in `rig/scene.sh`.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::results::{Results, is};
use super::{NEW, OLD};

/// A test.
pub struct Scene {
    /// As it is typed.
    pub name: &'static str,
    /// Longest run in the guest, seconds.
    pub limit: u64,
    /// What happens.
    pub script: &'static str,
    /// What must have come of it.
    pub judge: fn(&Results) -> Result<()>,
}

/// All of them, in the order they run in.
pub const ALL: &[Scene] = &[Scene {
    name: "list",
    limit: 60,
    script: include_str!("../../../rig/scenes/list"),
    judge: list,
}];

fn list(results: &Results) -> Result<()> {
    let list = results.ran("list")?;
    let rows = list.exits(0)?.last()?;
    let row = only(&rows)?;
    is(row, "place", "usb 1-1")?;
    is(row, "node", "/dev/ttyACM0")?;
    is(row, "state", "run")?;
    is(row, "simulated", false)?;
    let info = results.ran("info")?.exits(0)?.last()?;
    is(&info, "firmware", OLD)?;
    is(&info, "board", "OPENMV_RT1060")?;
    let _ = NEW;
    Ok(())
}

/// The one row of a list.
fn only(rows: &Value) -> Result<&Value> {
    let rows = rows.as_array().context("no array")?;
    ensure!(rows.len() == 1, "{} cameras are listed", rows.len());
    Ok(&rows[0])
}
