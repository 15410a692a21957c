//! Benchmarks, on the program as it is released.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::run::Shop;
use crate::{judges, rig, work};

/// Every benchmark of the workspace; the one that needs NXP's tools says so and does nothing.
///
/// # Errors
/// When the program does not build, or a benchmark fails to run.
pub fn all(shop: &Shop) -> Result<()> {
    let program = release(shop)?;
    let job = shop.cargo(["bench", "--workspace"]);
    job.env("OMV_PROGRAM", program).stream()
}

/// The stand-ins against NXP's own tools, on one virtual device in turns.
///
/// # Errors
/// When the program does not build, a run fails, or the real tools are missing.
pub fn spsdk(shop: &Shop) -> Result<()> {
    let judges = ready(shop)?;
    let program = release(shop)?;
    let job = shop.cargo(["bench", "-p", "omv", "--bench", "spsdk"]);
    job.env("OMV_PROGRAM", program)
        .env("OMV_JUDGES", judges)
        .stream()
}

/// `omv romfs build` against `mpremote romfs build`, on one tree in turns.
///
/// # Errors
/// When the program does not build, a run fails, or mpremote is missing.
pub fn romfs(shop: &Shop) -> Result<()> {
    judges::micropython_ready(shop)
        .context("mpremote is not ready: `cargo xtask test judges` installs it")?;
    let judges = judges::ready(shop)?;
    let program = release(shop)?;
    let job = shop.cargo(["bench", "-p", "omv", "--bench", "romfs"]);
    job.env("OMV_PROGRAM", program)
        .env("OMV_JUDGES", judges)
        .stream()
}

/// Sessions with a running camera: our host beside the `openmv` package for Python, on the same pseudo
/// terminal and the same virtual camera.
///
/// # Errors
/// When a benchmark does not run or misses a goal, or the package is missing.
pub fn session(shop: &Shop) -> Result<()> {
    judges::openmv_ready(shop)
        .context("the Python package is not ready: `cargo xtask test judges` installs it")?;
    let judges = judges::ready(shop)?;
    let job = shop.cargo(["bench", "-p", "omv-camera", "--bench", "session"]);
    job.env("OMV_JUDGES", judges).stream()
}

/// From a picture's last byte to a viewer's socket, beside a viewer that stalls.
///
/// # Errors
/// When the benchmark does not run or misses its goal.
pub fn serve(shop: &Shop) -> Result<()> {
    let judges = judges::ready(shop)?;
    let job = shop.cargo(["bench", "-p", "omv", "--bench", "serve"]);
    job.env("OMV_JUDGES", judges).stream()
}

/// [`spsdk`] over USB: both tools in turns in the rig's guest, through Linux's own HID driver. There is
/// no KVM, so the ratios mean something and the seconds do not.
///
/// # Errors
/// As [`spsdk`], and those of the rig.
pub fn spsdk_usb(shop: &Shop) -> Result<ExitCode> {
    let judges = ready(shop)?;
    let omv = release(shop)?;
    let omv = omv.display();
    let spsdk = judges.join("spsdk/bin/blhost");
    let spsdk = spsdk.display();
    let script = format!("omv={omv}; spsdk={spsdk}; {USB}");
    rig::rig(shop, &["--", &script])
}

/// A flash of an H7 at its real speed, through Linux's USB stack: `omv`, which verifies, beside dfu-util,
/// which does not, and beside dfu-util with a second run that reads back; then the same image again, and
/// with 16 other bytes.
///
/// # Errors
/// When a file cannot be made, and those of the rig.
pub fn dfu_usb(shop: &Shop) -> Result<ExitCode> {
    let folder = shop.target.join("rig/bench");
    let sample = work::programs(shop)?.join("examples/sample");
    let job = shop.program(sample).args(["release", "5.0.0", H7_SIZE]);
    job.args([&folder]).args(["h7"]).stream()?;
    let image = folder.join("firmware.bin");
    let mut changed = std::fs::read(&image)?;
    let middle = changed.get_mut(0x9_0000..0x9_0010);
    for byte in middle.context("a short sample")? {
        *byte ^= 0xFF;
    }
    std::fs::write(folder.join("changed.bin"), changed)?;
    let script = format!("folder={}; {DFU}", folder.display());
    rig::rig(shop, &["--camera", "h7,bootloader=1.0.3", "--", &script])
}

/// Bytes of an H7's whole partition.
const H7_SIZE: &str = "1703936";

/// What runs in the guest, with the program as tests have it. `omv` starts in the bootloader and ends with
/// a running camera; dfu-util starts and ends in the bootloader. An image with changed bytes does not
/// start, so the steps that touch flash are added up by themselves.
const DFU: &str = r#"
cp $folder/*.bin .
export TIMEFORMAT="  %R s, processor %U + %S s"
erased() { XDG_RUNTIME_DIR=/run/sim omv sim ctl rig status --json | grep -o '"erased_sectors":[0-9]*'; }
steps() {
    python3 -c '
import json, sys
verbs, work = [], 0
for event in map(json.loads, sys.stdin):
    if event.get("event") == "planned":
        verbs = [step["verb"] for step in event["steps"]]
    if event.get("event") == "finished":
        verb = verbs[event["step"]]
        print("   ", verb, event["millis"] / 1000, "s")
        work += event["millis"] if verb in ("hold", "compare", "write", "verify") else 0
print("  flash alone", work / 1000, "s")'
}
turn() { echo "$1"; shift; time "$@" >out 2>err; steps <out; erased; }
echo "load: $(cat /proc/loadavg)"
omv reset --bootloader; erased
turn "omv, all of it" omv --json flash --full firmware.bin
omv reset --bootloader
turn "omv, the same again" omv --json flash firmware.bin
omv reset --bootloader
echo "dfu-util -D"; time dfu-util -d ,37c5:9204 -a FIRMWARE -D firmware.bin >out 2>&1 || cat out; erased
echo "dfu-util -U"; time dfu-util -d ,37c5:9204 -a FIRMWARE -U back.bin >out 2>&1 || cat out
turn "omv, 16 bytes changed" omv --json flash --force changed.bin
echo "load: $(cat /proc/loadavg)""#;

/// What runs in the guest. The write goes to RAM, which the camera's bootloader takes at once.
const USB: &str = r#"
export SPSDK_DEBUG_LOGGING_DISABLED=1 TIMEFORMAT="%R s, processor %U + %S s"
head -c 122880 /dev/urandom >image
omv reset --bootloader
echo "load: $(cat /proc/loadavg)"
for turn in 1 2 3; do
    for words in "get-property 1" "write-memory 0x4000 image,98304"; do
        for tool in "$omv blhost" "$spsdk"; do
            echo "$turn ${tool##*/}: $words"
            time $tool -u 0x15A2,0x0073 -- $words >out 2>&1 || { cat out; exit 1; }
        done
    done
done
echo "load: $(cat /proc/loadavg)""#;

/// The folder of the judges, with NXP's tools in it.
fn ready(shop: &Shop) -> Result<PathBuf> {
    judges::spsdk_ready(shop)
        .context("the real tools are not ready: `cargo xtask test judges` installs them")?;
    judges::ready(shop)
}

/// Builds the program as it is released, and says where it is.
fn release(shop: &Shop) -> Result<PathBuf> {
    shop.cargo(["release"]).stream()?;
    Ok(shop.target.join("x86_64-unknown-linux-gnu/release/omv"))
}
