//! `omv` itself, with the kernel's drivers between it and the cameras.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Scene;
use crate::rig::results::{Ran, Results, is};
use crate::rig::{NEW, OLD};

/// In the order they run in.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "list",
        limit: 60,
        script: include_str!("../../../../rig/scenes/list"),
        recording: None,
        judge: list,
    },
    Scene {
        name: "flash",
        limit: 60,
        script: include_str!("../../../../rig/scenes/flash"),
        recording: None,
        judge: flash,
    },
    Scene {
        name: "recover",
        limit: 90,
        script: include_str!("../../../../rig/scenes/recover"),
        recording: None,
        judge: recover,
    },
    Scene {
        name: "unplug",
        limit: 90,
        script: include_str!("../../../../rig/scenes/unplug"),
        recording: None,
        judge: unplug,
    },
    Scene {
        name: "no-access",
        limit: 60,
        script: include_str!("../../../../rig/scenes/no-access"),
        recording: None,
        judge: no_access,
    },
    Scene {
        name: "two",
        limit: 60,
        script: include_str!("../../../../rig/scenes/two"),
        recording: None,
        judge: two,
    },
    Scene {
        name: "busy",
        limit: 60,
        script: include_str!("../../../../rig/scenes/busy"),
        recording: None,
        judge: busy,
    },
    Scene {
        name: "descriptors",
        limit: 60,
        script: include_str!("../../../../rig/scenes/descriptors"),
        recording: None,
        judge: descriptors,
    },
];

/// A running camera before it is flashed, as USB knows it.
const OLD_ID: &str = "1209:ABD1";
/// The same camera afterwards.
const NEW_ID: &str = "37C5:1060";

fn list(results: &Results) -> Result<()> {
    results.silent_kernel()?;
    let rows = results.ran("list")?.exits(0)?.last()?;
    let row = only(&rows)?;
    is(row, "place", "usb 1-1")?;
    is(row, "node", "/dev/ttyACM0")?;
    is(row, "state", "run")?;
    is(row, "usb", OLD_ID)?;
    is(row, "simulated", false)?;
    let info = results.ran("info")?.exits(0)?.last()?;
    is(&info, "firmware", OLD)?;
    is(&info, "board", "OPENMV_RT1060")?;
    is(&info, "place", "usb 1-1")?;
    described(results, "lsusb", &["CDC ACM", "CDC Union"])
}

fn flash(results: &Results) -> Result<()> {
    arrived(&results.ran("flash")?)?;
    let info = results.ran("info")?.exits(0)?.last()?;
    is(&info, "firmware", NEW)?;
    is(&info, "usb", NEW_ID)?;
    let seen = visits(&results.ran("watch")?)?;
    let wanted = ["1209:ABD1 run", "15A2:0073 sbl", "37C5:1060 run"];
    in_order(&seen, &wanted)?;
    described(results, "lsusb", &["CDC ACM", "CDC Union"])
}

fn recover(results: &Results) -> Result<()> {
    let recover = results.ran("recover")?;
    arrived(&recover)?;
    let lines = recover.lines()?;
    let began = |line: &Value| line["event"] == "state" && line["state"] == "flashloader";
    ensure!(
        lines.iter().any(began),
        "recover never says that its helper runs"
    );
    let info = results.ran("info")?.exits(0)?.last()?;
    is(&info, "firmware", NEW)?;
    let seen = visits(&results.ran("watch")?)?;
    let wanted = [
        "1209:ABD1 run",
        "1FC9:0135 sdp",
        "15A2:0073",
        "1FC9:0135 sdp",
        "15A2:0073",
        "37C5:1060 run",
    ];
    in_order(&seen, &wanted)?;
    described(results, "lsusb", &["HID Device Descriptor"])
}

fn unplug(results: &Results) -> Result<()> {
    for name in ["erase", "again"] {
        let ran = results.ran(name)?;
        ran.exits(1)?.error("camera-gone")?;
    }
    arrived(&results.ran("last")?)?;
    let info = results.ran("info")?.exits(0)?.last()?;
    is(&info, "firmware", NEW)
}

fn no_access(results: &Results) -> Result<()> {
    let rows = results.ran("list")?.exits(0)?.last()?;
    let row = only(&rows)?;
    is(row, "state", "no-driver")?;
    is(row, "node", "/dev/ttyACM0")?;
    for (name, node) in [
        ("info", "/dev/ttyACM0"),
        ("flash", "/dev/ttyACM0"),
        ("loader", "/dev/hidraw0"),
    ] {
        let error = results.ran(name)?.exits(5)?.error("no-access")?;
        let message = error["message"].as_str().unwrap_or_default();
        ensure!(
            message.contains(node),
            "{name} does not name {node}: {message}"
        );
    }
    let seen = results.ran("doctor")?.exits(11)?.last()?;
    let findings = seen["findings"].as_array().context("no findings")?;
    let denied = findings
        .iter()
        .any(|finding| finding["code"] == "no-access" && finding["severity"] == "problem");
    ensure!(denied, "doctor does not see the denial: {seen}");
    Ok(())
}

fn two(results: &Results) -> Result<()> {
    let places = |name: &str| -> Result<Vec<String>> {
        let rows = results.ran(name)?.exits(0)?.last()?;
        let rows = rows.as_array().context("no array")?;
        Ok(rows
            .iter()
            .map(|row| format!("{} {}", text(row, "place"), text(row, "usb")))
            .collect())
    };
    let before = places("list")?;
    ensure!(
        before == ["usb 1-1 1209:ABD1", "usb 1-2 1209:ABD1"],
        "the list has {before:?}"
    );
    results.ran("info")?.exits(4)?.error("several-cameras")?;
    let place = results.ran("place")?.exits(0)?.last()?;
    is(&place, "place", "usb 1-2")?;
    arrived(&results.ran("flash")?)?;
    let after = places("after")?;
    ensure!(
        after == ["usb 1-1 1209:ABD1", "usb 1-2 37C5:1060"],
        "then it has {after:?}"
    );
    Ok(())
}

fn busy(results: &Results) -> Result<()> {
    let error = results.ran("second")?.exits(5)?.error("busy")?;
    let message = text(&error, "message");
    ensure!(
        message.contains("omv flash (process "),
        "nobody is named: {message}"
    );
    arrived(&results.ran("flash")?)
}

fn descriptors(results: &Results) -> Result<()> {
    results.silent_kernel()?;
    described(results, "run", &["CDC ACM", "CDC Union"])?;
    described(
        results,
        "sbl",
        &["HID Device Descriptor", "USB COMPOSITE DEVICE"],
    )?;
    described(results, "sdp", &["HID Device Descriptor"])?;
    let rows = results.ran("list")?.exits(0)?.last()?;
    is(only(&rows)?, "state", "sdp")
}

/// The one row of a list.
fn only(rows: &Value) -> Result<&Value> {
    let rows = rows.as_array().context("no array")?;
    ensure!(rows.len() == 1, "{} cameras are listed", rows.len());
    Ok(&rows[0])
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// Demands that a flash or a recovery ended with the new firmware, verified.
fn arrived(ran: &Ran) -> Result<()> {
    let result = ran.exits(0)?.last()?;
    is(&result, "ok", true)?;
    is(&result, "state", "run")?;
    is(&result, "firmware", NEW)?;
    is(&result, "simulated", false)?;
    let regions = result["regions"].as_array().context("no regions")?;
    let verified = regions.iter().all(|region| region["verified"] == true);
    ensure!(
        verified && !regions.is_empty(),
        "not all was verified: {result}"
    );
    Ok(())
}

/// What `omv list --watch` saw come, as `USB-ID state`.
fn visits(watch: &Ran) -> Result<Vec<String>> {
    let lines = watch.lines()?;
    let came = lines.iter().filter(|line| line["event"] != "left");
    let visits = came.map(|line| format!("{} {}", text(line, "usb"), text(line, "state")));
    Ok(visits.collect())
}

/// Demands that these came in this order, whatever came between. A beginning is enough.
fn in_order(seen: &[String], wanted: &[&str]) -> Result<()> {
    let mut rest = seen.iter();
    for one in wanted {
        let found = rest.any(|visit| visit.starts_with(one));
        ensure!(
            found,
            "{one} was not seen in its turn; seen: {}",
            seen.join(", ")
        );
    }
    Ok(())
}

/// Demands that lsusb could read everything of a device, and these words are in it.
fn described(results: &Results, name: &str, words: &[&str]) -> Result<()> {
    let ran = results.ran(name)?;
    ran.exits(0)?;
    let words = words
        .iter()
        .chain(&["bDescriptorType", "bNumConfigurations"]);
    for word in words {
        ensure!(ran.stdout.contains(word), "{name} does not say {word:?}");
    }
    let complaints = format!("{}{}", ran.stdout, results.text(&format!("{name}.err"))?);
    for word in ["Couldn't", "can't get", "invalid", "ERROR", "Warning"] {
        ensure!(!complaints.contains(word), "{name} complains: {word}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_out_of_order_are_refused_and_more_of_them_are_not() {
        let seen = ["a run", "b sbl", "c run"].map(str::to_owned);
        assert!(in_order(&seen, &["a", "c run"]).is_ok());
        assert!(in_order(&seen, &["c", "a"]).is_err());
    }
}
