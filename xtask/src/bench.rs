//! Benchmarks, on the program as it is released.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::run::Shop;
use crate::{judges, rig};

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
