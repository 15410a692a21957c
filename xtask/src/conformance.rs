//! The stand-ins for tools of other makers, beside the real ones.

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
    let test = ["test", "-p", "omv", "--test", "dropin_conformance"];
    shop.cargo(test).env("OMV_JUDGES", judges).stream()
}
