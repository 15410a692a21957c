//! What the stages do that is no more than a few calls of cargo.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::Shop;
use crate::{judges, mutants, tidy};

/// How many moments the power is cut at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// As many as CI has time for.
    Short,
    /// All.
    Long,
}

/// Formatting, clippy, rustdoc, the rules of the house, and whether the mutants apply. All are asked before any is
/// believed.
///
/// # Errors
/// When one of them finds something.
pub fn check(shop: &Shop) -> Result<()> {
    let clippy = [
        "clippy",
        "--keep-going",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    let fuzz = ["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"];
    let outcomes = [
        shop.cargo(["fmt", "--all", "--check"]).stream(),
        shop.cargo(fuzz).stream(),
        tidy::tidy(shop),
        mutants::check(&shop.root).map(|count| println!("{count} mutants apply")),
        shop.cargo(clippy).stream(),
        docs(shop),
    ];
    let mut outcomes = outcomes.into_iter().filter_map(Result::err);
    match outcomes.next() {
        None => Ok(()),
        Some(first) => Err(outcomes.fold(first, |all, next| anyhow::anyhow!("{all:#}; {next:#}"))),
    }
}

/// The documentation of the workspace.
///
/// # Errors
/// For any warning of rustdoc's.
pub fn docs(shop: &Shop) -> Result<()> {
    let job = shop.cargo(["doc", "--workspace", "--no-deps", "--keep-going"]);
    job.env("RUSTDOCFLAGS", "-D warnings").stream()
}

/// Every test of the workspace.
///
/// # Errors
/// When one fails, or the judges are missing.
pub fn unit(shop: &Shop) -> Result<()> {
    let judges = judges::ready(shop)?;
    let job = shop.cargo(["test", "--workspace", "--no-fail-fast"]);
    job.env("OMV_JUDGES", judges).stream()
}

/// Every benchmark, on the program as it is released.
///
/// # Errors
/// When the program does not build, or a benchmark fails to run.
pub fn bench(shop: &Shop) -> Result<()> {
    let program = release(shop)?;
    let job = shop.cargo(["bench", "--workspace"]);
    job.env("OMV_PROGRAM", program).stream()
}

/// The stand-ins against NXP's own tools, on one virtual device in turns.
///
/// # Errors
/// When the program does not build, a run fails, or the real tools are missing.
pub fn bench_spsdk(shop: &Shop) -> Result<()> {
    judges::spsdk_ready(shop)
        .context("the real tools are not ready: `cargo xtask test judges` installs them")?;
    let judges = judges::ready(shop)?;
    let program = release(shop)?;
    let job = shop.cargo(["bench", "-p", "omv", "--bench", "spsdk"]);
    job.env("OMV_PROGRAM", program)
        .env("OMV_JUDGES", judges)
        .stream()
}

/// Builds the program as it is released, and says where it is.
fn release(shop: &Shop) -> Result<PathBuf> {
    shop.cargo(["release"]).stream()?;
    Ok(shop.target.join("x86_64-unknown-linux-gnu/release/omv"))
}

/// Power cuts. The profile of the other tests is fast enough for thousands of flashes, and a
/// second build would cost more than it saves.
///
/// # Errors
/// When a camera does not come back, or the judges are missing.
pub fn matrix(shop: &Shop, matrix: Matrix) -> Result<()> {
    let judges = judges::ready(shop)?;
    let size = match matrix {
        Matrix::Short => "ci",
        Matrix::Long => "long",
    };
    let test = ["test", "-p", "omv-camera", "--test", "power_cut"];
    let job = shop.cargo(test).args(["--", "--nocapture"]);
    job.env("OMV_JUDGES", judges)
        .env("OMV_MATRIX", size)
        .stream()
}
