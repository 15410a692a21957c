//! Benchmarks, on the program as it is released.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::awake::Awake;
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
    let _awake = Awake::keep();
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
    let _awake = Awake::keep();
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

/// A flash of an H7 at its real speed, through Linux's USB stack, each time a whole process: `omv`, which
/// verifies, beside the least time the camera needs, beside dfu-util, which does not verify, and beside
/// dfu-util with a second run that reads back; then the same image again, and one with 16 other bytes.
///
/// # Errors
/// When a file cannot be made or the program not built, and those of the rig.
pub fn dfu_usb(shop: &Shop) -> Result<ExitCode> {
    let program = release(shop)?;
    let folder = shop.target.join("rig/bench");
    let sample = work::programs(shop)?.join("examples/sample");
    let job = shop.program(&sample).args(["release", "5.0.0", H7_SIZE]);
    job.args([&folder]).args(["h7"]).stream()?;
    let needs = shop.program(&sample).args(["needs", H7_SIZE, "h7"]);
    let needs = needs.output()?;
    let image = folder.join("firmware.bin");
    let mut changed = std::fs::read(&image)?;
    let middle = changed.get_mut(0x9_0000..0x9_0010);
    for byte in middle.context("a short sample")? {
        *byte ^= 0xFF;
    }
    std::fs::write(folder.join("changed.bin"), changed)?;
    let (folder, needs) = (folder.display(), needs.trim());
    let script = format!("folder={folder} needs={needs}; {DFU}");
    rig::released(shop, &program, "h7,bootloader=1.0.3", &script)
}

/// Bytes of an H7's whole partition.
const H7_SIZE: &str = "1703936";

/// What runs in the guest. All begins and ends in the bootloader, and all files are in memory. Times are
/// milliseconds; the camera counts erased sectors in pieces of 4 KiB, 32 of which are one of an H7.
const DFU: &str = r#"
mkdir /tmp/bench; cp $folder/*.bin /tmp/bench; cd /tmp/bench
missed=0 before=0
erased() {
    local all=$(XDG_RUNTIME_DIR=/run/sim omv sim ctl rig status --json | grep -o '"erased_sectors":[0-9]*')
    all=${all#*:}; sectors=$(((all - before) / 32)) before=$all
}
# took WORD...: runs it, its milliseconds are in $millis.
took() {
    local begun=${EPOCHREALTIME/./}
    "$@" >out 2>&1 || { cat out; exit 1; }
    millis=$(((${EPOCHREALTIME/./} - begun) / 1000))
    erased
}
# row NAME MILLIS BESIDE GOAL SECTORS: the goal is in thousandths, 0 for none.
row() {
    local ratio=$(($2 * 1000 / $3)) goal=$4
    ((goal == 0 || ratio <= goal)) || missed=1
    printf '%-44s %6d.%03d %6d.%03d %6d.%03d %8s\n' "$1" $(($2 / 1000)) $(($2 % 1000)) \
        $((ratio / 1000)) $((ratio % 1000)) $((goal / 1000)) $((goal % 1000)) "$5"
}
echo "load: $(cat /proc/loadavg)"
omv reset --bootloader 2>/dev/null; erased
dfu-util --version >/dev/null
took omv --json flash --full --stay firmware.bin; full=$millis full_sectors=$sectors
took omv --json flash --stay firmware.bin; same=$millis same_sectors=$sectors
took dfu-util -d ,37c5:9204 -a FIRMWARE -D firmware.bin; down=$millis down_sectors=$sectors
took dfu-util -d ,37c5:9204 -a FIRMWARE -U back.bin; up=$millis
took omv --json flash --force --stay changed.bin; part=$millis part_sectors=$sectors
took omv --json flash firmware.bin; run=$millis run_sectors=$sectors
printf '%-44s %10s %10s %10s %8s\n' 'H7, 1703936 bytes, whole processes' seconds ratio goal sectors
row 'what the camera needs to take and give' $needs $needs 0 13
row 'omv flash --full --stay, beside that' $full $needs 1050 $full_sectors
row 'the same image again, beside all of it' $same $full 150 $same_sectors
row '16 bytes changed, beside all of it' $part $full 300 $part_sectors
row 'dfu-util -D, not verified, beside the camera' $down $needs 0 $down_sectors
row 'and dfu-util -U after it' $((down + up)) $needs 0 0
row 'the 16 bytes again, and start the firmware' $run $full 0 $run_sectors
echo "load: $(cat /proc/loadavg)"
((full_sectors == 13 && same_sectors == 0 && part_sectors == 1)) || missed=1
exit $missed"#;

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
