//! What we stand in for, beside the real one: tools of other makers, and a camera's loaders.

use anyhow::{Context, Result};

use crate::judges;
use crate::run::Shop;

/// Runs both and compares; `docs/conformance.md` says what is seen. `UPDATE=1` rewrites it.
///
/// # Errors
/// When they differ in what is not meant to, or the real tools are missing.
pub fn run(shop: &Shop) -> Result<()> {
    let judges = judges::ready(shop)?;
    judges::spsdk_ready(shop)
        .context("the real tools are not ready: `cargo xtask test judges` installs them")?;
    judges::openmv_ready(shop)
        .context("the Python package is not ready: `cargo xtask test judges` installs it")?;
    let test = |name| {
        let job = shop.cargo(["test", "--workspace", "--test", name]);
        job.env("OMV_JUDGES", &judges)
    };
    // Both mostly wait for somebody else's program.
    let peer = test("peer").start()?;
    let tools = test("dropin_conformance").stream();
    peer.finish().and(tools)
}

/// Runs the loaders shipped on every RT1062 in an emulator: our host against them, and the virtual
/// camera beside them.
///
/// # Errors
/// When something differs, or the loaders or the emulator are missing.
pub fn loaders(shop: &Shop) -> Result<()> {
    let judges = judges::ready(shop)?;
    judges::unicorn_ready(shop)
        .context("the emulator is not ready: `cargo xtask test judges` installs it")?;
    let test = ["test", "--workspace", "--test", "real_loaders"];
    shop.cargo(test).env("OMV_JUDGES", judges).stream()
}

/// Reads and runs the project's neural networks beside the reference reader and interpreter.
///
/// # Errors
/// When something differs, or the judges are missing.
pub fn models(shop: &Shop) -> Result<()> {
    let judges = judges::ready(shop)?;
    let ready = judges::models_ready(shop).and_then(|()| judges::webassembly_ready(shop));
    ready.context("the readers are not ready: `cargo xtask test judges` installs them")?;
    let eras = ["test", "--workspace", "--test", "eras"];
    shop.cargo(eras).env("OMV_JUDGES", &judges).stream()?;
    let infer = ["test", "--workspace", "--test", "infer_judged"];
    shop.cargo(infer).env("OMV_JUDGES", &judges).stream()?;
    let test = ["test", "--workspace", "--test", "models_judged"];
    shop.cargo(test).env("OMV_JUDGES", judges).stream()
}
