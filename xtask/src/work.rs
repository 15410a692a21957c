//! What the stages do that is no more than a few calls of cargo.

use std::path::PathBuf;

use anyhow::Result;

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

/// The programs and the examples that scenes and benches start, in the folder they are built into.
///
/// Examples take the features that tests take. Without them cargo would build much of the workspace once
/// more with fewer features, after the tests have built it. This program, which is there, is not built again
/// with the features of all others.
///
/// # Errors
/// When something does not compile.
pub fn programs(shop: &Shop) -> Result<PathBuf> {
    let words = ["build", "--workspace", "--exclude", "xtask"];
    let job = shop.cargo(words).args(["--bins", "--examples"]);
    job.stream()?;
    Ok(shop.target.join("debug"))
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
    let test = ["test", "--workspace", "--test", "power_cut"];
    let job = shop.cargo(test).args(["--test", "power_cut_dfu"]);
    let job = job.args(["--", "--nocapture"]);
    job.env("OMV_JUDGES", judges)
        .env("OMV_MATRIX", size)
        .stream()
}
